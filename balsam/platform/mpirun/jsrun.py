"""IBM's launcher for LSF, jsrun, which counts a node's resources itself: Summit."""

from balsam.platform.mpirun.run import MpiRun, Option, PlainAdapter

__all__ = ["Jsrun"]


class Jsrun(PlainAdapter):
    """``jsrun --nrs S --tasks_per_rs T --rs_per_host H --cpu_per_rs C --bind rs --gpu_per_rs G``.

    A resource set holds one rank, or as many as share a GPU. jsrun chooses the nodes, and shows each resource
    set its own GPUs. https://docs.olcf.ornl.gov/systems/summit_user_guide.html#job-launcher-jsrun
    """

    executables = ("jsrun",)

    def options(self, run: MpiRun) -> list[Option]:
        """Return the options."""
        tasks, gpus = _resource_set(run)
        return [
            (("--nrs", str(run.num_ranks // tasks)), ("nrs", "n")),
            (("--tasks_per_rs", str(tasks)), ("tasks_per_rs", "a")),
            (("--rs_per_host", str(run.ranks_per_node // tasks)), ("rs_per_host", "r")),
            (("--cpu_per_rs", str(run.cores_per_rank * tasks)), ("cpu_per_rs", "c")),
            (("--bind", "rs"), ("bind", "b")),
            (("--gpu_per_rs", str(gpus)), ("gpu_per_rs", "g")),
        ]

    def assigns_gpus(self, run: MpiRun) -> bool:
        """It always does; a mask of the whole node's numbers would hide what it has given."""
        return True


def _resource_set(run: MpiRun) -> tuple[int, int]:
    """Return the ranks and GPUs of one resource set; ranks share a GPU where a node's divide evenly."""
    if not 0 < run.gpus_per_rank < 1:
        return 1, int(run.gpus_per_rank)
    sharing = max(1, min(int(1 / run.gpus_per_rank + 1e-6), run.ranks_per_node))
    return max(n for n in range(1, sharing + 1) if run.ranks_per_node % n == 0), 1

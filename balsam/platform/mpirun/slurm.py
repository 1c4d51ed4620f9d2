"""Slurm's own launcher, srun, inside an allocation of Slurm."""

from balsam.platform.mpirun.run import MpiRun, Option

__all__ = ["Srun"]


class Srun:
    """``srun -n R --ntasks-per-node P --nodes K --nodelist a,b --overlap``; ranks inherit the environment.

    Nodes are named also when there is one: a step may else start on any of the allocation. Balsam counts what
    a node can hold, so steps may overlap. https://slurm.schedmd.com/srun.html
    """

    executables = ("srun",)

    def options(self, run: MpiRun) -> list[Option]:
        """Return the options."""
        return [
            (("-n", str(run.num_ranks)), ("n", "ntasks")),
            (("--ntasks-per-node", str(run.ranks_per_node)), ("ntasks-per-node",)),
            (("--nodes", str(len(run.hosts))), ("N", "nodes")),
            (("--nodelist", ",".join(run.hosts)), ("w", "nodelist", "F", "nodefile")),
            (("--overlap",), ("overlap", "exact", "exclusive")),
        ]

    def environ(self, *, is_root: bool) -> dict[str, str]:
        """Return nothing: it runs for any user."""
        return {}

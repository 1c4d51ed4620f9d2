"""Slurm's own launcher, srun, inside an allocation of Slurm."""

from balsam.platform.mpirun.run import MpiRun, Option, PlainAdapter

__all__ = ["PerlmutterSrun", "Srun"]

_BINDING = ("cpu-bind", "cpu_bind")


class Srun(PlainAdapter):
    """``srun -n R --ntasks-per-node P --nodes K --nodelist a,b [CPUs] [GPUs] --overlap``.

    Nodes are named also when there is one: a step may else start on any of the allocation. Balsam counts what
    a node can hold, so steps may overlap. The ranks inherit the environment. https://slurm.schedmd.com/srun.html

    CPUs: ``--cpus-per-task`` makes a step exact, and of all steps that overlap each gets the *first* CPUs of
    the node (measured with 22.05). Jobs that share a node go without; their ranks are bound, where they are
    to be, by masks of the CPUs the job was given, which a step that is not exact may use.
    GPUs: Slurm writes the mask of a step anew, whatever the environment says; so it is set after Slurm.
    """

    executables = ("srun",)

    def options(self, run: MpiRun) -> list[Option]:
        """Return the options."""
        return [
            (("-n", str(run.num_ranks)), ("n", "ntasks")),
            (("--ntasks-per-node", str(run.ranks_per_node)), ("ntasks-per-node",)),
            (("--nodes", str(len(run.hosts))), ("N", "nodes")),
            (("--nodelist", ",".join(run.hosts)), ("w", "nodelist", "F", "nodefile")),
            *self._cpu_options(run),
            (("--overlap",), ("overlap", "exact", "exclusive")),
        ]

    def before(self, run: MpiRun) -> list[str]:
        """Set the mask of the GPUs."""
        if self.assigns_gpus(run):
            return []
        return ["env", *(f"{name}={value}" for name, value in run.gpu_masks.items())] if run.gpu_masks else []

    def _cpu_options(self, run: MpiRun) -> list[Option]:
        if run.cpu_ids and run.ranks_per_node > len(run.cpu_ids) * run.threads_per_core:
            return [(("--overcommit",), ("O", "overcommit"))]  # refused otherwise
        cpus = run.cpus_of_ranks() if run.is_bound else []
        if cpus:
            masks = ",".join(hex(sum(1 << cpu for cpu in own)) for own in cpus)
            return [((f"--cpu-bind=mask_cpu:{masks}",), _BINDING)]
        return self._counted_cpus(run)

    def _counted_cpus(self, run: MpiRun) -> list[Option]:
        if run.threads_per_rank == 1 or not run.is_alone:
            return []
        return [(("--cpus-per-task", str(run.threads_per_rank)), ("c", "cpus-per-task"))]


class PerlmutterSrun(Srun):
    """``srun [--gres=craynetwork:0] … --cpus-per-task T [--gpus-per-task G] --overlap``.

    A step takes one of a node's few craynetwork resources; one of a single rank needs none, and so many
    such steps can run at once. Each rank of a job with nodes to itself is shown its own GPUs by Slurm.
    """

    def options(self, run: MpiRun) -> list[Option]:
        """Return the options."""
        network: list[Option] = [(("--gres=craynetwork:0",), ("gres",))]
        gpus: list[Option] = [
            (("--gpus-per-task", str(int(run.gpus_per_rank))), ("gpus-per-task", "gpus", "G"))
        ]
        *first, overlap = super().options(run)
        return [
            *(network if run.num_ranks == 1 else []),
            *first,
            *(gpus if self.assigns_gpus(run) else []),
            overlap,
        ]

    def assigns_gpus(self, run: MpiRun) -> bool:
        """Slurm deals the GPUs of a node that the job has to itself, where each rank gets whole ones."""
        return run.is_alone and run.gpus_per_rank >= 1 and run.gpus_per_rank == int(run.gpus_per_rank)

    def _counted_cpus(self, run: MpiRun) -> list[Option]:
        if not run.is_alone or not run.cpu_ids:  # or is to have all of the node, as a worker
            return []
        return [(("--cpus-per-task", str(run.threads_per_rank)), ("c", "cpus-per-task"))]

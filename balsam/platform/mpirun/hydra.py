"""MPICH's launcher, Hydra, and those built on it: Intel MPI, MVAPICH."""

from balsam.platform.mpirun.run import MpiRun, Option, PlainAdapter

__all__ = ["Hydra"]


class Hydra(PlainAdapter):
    """``mpiexec -n R -ppn P [-hosts a,b] [-bind-to user:0+1,2+3]``.

    The ranks inherit the whole environment, on all hosts.
    https://github.com/pmodels/mpich/blob/main/doc/wiki/how_to/Using_the_Hydra_Process_Manager.md
    """

    executables = ("mpiexec.hydra", "mpiexec", "mpirun")
    family = "mpich"

    def options(self, run: MpiRun) -> list[Option]:
        """Return the options; each may be given once only."""
        options: list[Option] = [
            (("-n", str(run.num_ranks)), ("n", "np")),
            (("-ppn", str(run.ranks_per_node)), ("ppn", "perhost", "grr")),
        ]
        if not run.is_local:
            options.append(
                (("-hosts", ",".join(run.hosts)), ("hosts", "host", "f", "hostfile", "machinefile"))
            )
        cpus = run.cpus_of_ranks() if run.is_bound else []
        if cpus:
            lists = ",".join("+".join(map(str, own)) for own in cpus)
            options.append((("-bind-to", f"user:{lists}"), ("bind-to", "binding", "map-by")))
        return options

    def inherits_cpus(self, run: MpiRun) -> bool:
        """On this host, the ranks are its descendants."""
        return run.is_local

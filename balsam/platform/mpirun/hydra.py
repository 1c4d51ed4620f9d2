"""MPICH's launcher, Hydra, and those built on it: Intel MPI, MVAPICH."""

from balsam.platform.mpirun.run import MpiRun, Option

__all__ = ["Hydra"]


class Hydra:
    """``mpiexec -n R -ppn P [-hosts a,b]``; the ranks inherit the whole environment, on all hosts.

    https://github.com/pmodels/mpich/blob/main/doc/wiki/how_to/Using_the_Hydra_Process_Manager.md
    """

    executables = ("mpiexec.hydra", "mpiexec", "mpirun")

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
        return options

    def environ(self, *, is_root: bool) -> dict[str, str]:
        """Return nothing: it runs for any user."""
        return {}

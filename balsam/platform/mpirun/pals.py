"""HPE's launcher PALS, as it is used on Polaris and Aurora.

https://docs.alcf.anl.gov/polaris/running-jobs/ https://docs.alcf.anl.gov/aurora/running-jobs-aurora/
"""

from balsam.platform.mpirun.run import MpiRun, Option, PlainAdapter

__all__ = ["Aurora", "Polaris"]

_BINDING = ("cpu-bind",)
_DEPTH = ("d", "depth")


class Pals(PlainAdapter):
    """``mpiexec -np R -ppn P --hosts a,b --cpu-bind B -d T``.

    By itself each run is bound from the node's first core on, so that jobs which share a node would share its
    first cores: the CPUs are always said. The lists name a core's second hardware thread, too, where a rank
    uses two to a core.
    """

    executables = ("mpiexec", "mpirun")
    #: A core's second hardware thread has the number of the first and this.
    sibling: int

    def options(self, run: MpiRun) -> list[Option]:
        """Return the options."""
        binding, depth = self._binding(run)
        return [
            (("-np", str(run.num_ranks)), ("n", "np")),
            (("-ppn", str(run.ranks_per_node)), ("ppn",)),
            (("--hosts", ",".join(run.hosts)), ("hosts", "host", "hostfile", "hostlist")),
            (("--cpu-bind", binding), _BINDING),
            (("-d", str(depth)), _DEPTH),
        ]

    def _binding(self, run: MpiRun) -> tuple[str, int]:
        """Return how to bind, and the CPUs of each rank."""
        raise NotImplementedError

    def _list(self, run: MpiRun) -> str:
        """Name the CPUs of each rank of a node: ``list:0,1:2,3``; ``none`` where they are too few."""
        ranks = [
            [cpu + self.sibling * thread for thread in range(min(run.threads_per_core, 2)) for cpu in own]
            for own in run.cpus_of_ranks()
        ]
        return "list:" + ":".join(",".join(map(str, cpus)) for cpus in ranks) if ranks else "none"


class Polaris(Pals):
    """Ranks are bound to the job's own CPUs; ``core`` binds each to as many cores as it was given."""

    sibling = 32

    def _binding(self, run: MpiRun) -> tuple[str, int]:
        if run.cpu_affinity == "core":
            return "core", max(1, len(run.cpu_ids) // run.ranks_per_node)
        return self._list(run), run.threads_per_rank


class Aurora(Pals):
    """``… --cpu-bind none -d T --envall``; ranks are bound to their own CPUs where the user asks for it."""

    sibling = 104

    def options(self, run: MpiRun) -> list[Option]:
        """Return the options."""
        return [
            *super().options(run),
            (("--envall",), ("envall", "envnone", "envlist", "genvall", "genvnone")),
        ]

    def _binding(self, run: MpiRun) -> tuple[str, int]:
        return self._list(run) if run.is_bound else "none", run.threads_per_rank

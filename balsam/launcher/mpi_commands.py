"""Commands of jobs that the machine's MPI launcher starts on the nodes they were placed on; pure text."""

from collections.abc import Collection, Sequence

from balsam.launcher.placement import Placement
from balsam.platform.mpirun import MpiLauncher, MpiRun
from balsam.schemas.jobs import JobSpec

__all__ = ["MpiCommands"]


class MpiCommands:
    """Puts the MPI launcher before a command.

    ``mpirun`` is the text form of an `MpiLauncher`, ``this_host`` where it will be started.
    """

    def __init__(self, mpirun: str, *, this_host: str, is_root: bool) -> None:
        self._launcher = MpiLauncher.from_text(mpirun)
        self._this_host = this_host
        #: What the launcher itself needs in its environment.
        self.environ = self._launcher.environ(is_root=is_root)

    def build(
        self, argv: Sequence[str], spec: JobSpec, placement: Placement, forward: Collection[str]
    ) -> list[str]:
        """Return the words that run ``argv`` in all ranks, which get the variables named ``forward``.

        Raises JobStartError when the job's mpi_flags cannot be split.
        """
        run = MpiRun(
            argv=argv,
            num_ranks=spec.num_ranks,
            ranks_per_node=spec.ranks_per_node,
            hosts=placement.nodes,
            this_host=self._this_host,
            flags=spec.mpi_flags,
            forward=sorted(forward),
        )
        return self._launcher.command(run)

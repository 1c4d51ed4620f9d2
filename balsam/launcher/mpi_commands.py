"""Commands of jobs that the machine's MPI launcher starts on the nodes they were placed on; pure text."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from balsam.launcher.placement import Placement
from balsam.launcher.rank_gpus import with_rank_gpus
from balsam.platform.gpus import mask_variable, mask_variables
from balsam.platform.mpirun import MpiLauncher, MpiRun
from balsam.schemas.jobs import JobSpec

__all__ = ["MpiCommands", "MpiStart"]

#: Set to 1 in a job's or the launcher's environment: each rank is shown its own part of the job's GPUs.
_PER_RANK = "BALSAM_GPUS_PER_RANK"


@dataclass(frozen=True, slots=True)
class MpiStart:
    """How to start one parallel job: words, variables, and the CPUs to bind the MPI launcher to."""

    argv: list[str]
    environ: dict[str, str]
    cpu_ids: tuple[int, ...]


class MpiCommands:
    """Puts the MPI launcher before a command.

    ``mpirun`` is the text form of an `MpiLauncher`, ``this_host`` where it will be started, and ``environ``
    what it will inherit there.
    """

    def __init__(
        self,
        mpirun: str,
        *,
        this_host: str,
        is_root: bool,
        gpu_kind: str = "cuda",
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._launcher = MpiLauncher.from_text(mpirun)
        self._this_host = this_host
        self._gpu_kind = gpu_kind
        #: What the launcher itself needs in its environment.
        self._own_environ = self._launcher.environ(is_root=is_root)
        self._hostfile = environ.get("COBALT_NODEFILE", "")
        self._per_rank = environ.get(_PER_RANK, "")

    def start_of(self, argv: Sequence[str], spec: JobSpec, placement: Placement) -> MpiStart:
        """Return how to run ``argv`` in all ranks of a job, where it was placed.

        Raises JobStartError when that is impossible here, or its mpi_flags cannot be split.
        """
        masks = mask_variables(self._gpu_kind, placement.gpu_ids[0])
        run = self._run(argv, spec, placement, masks)
        if self._launcher.assigns_gpus(run):
            masks = {}
        elif self._wants_rank_gpus(spec):
            variable, gpus = mask_variable(self._gpu_kind), placement.gpu_ids[0]
            own = with_rank_gpus(argv, variable, gpus, spec.ranks_per_node)
            run = replace(run, argv=own, gpu_masks={})
        environ = {**spec.environ, **masks}
        command = self._launcher.command(replace(run, forward=sorted(environ)))
        is_inherited = run.is_bound and len(placement.nodes) == 1 and self._launcher.inherits_cpus(run)
        return MpiStart(command, environ | self._own_environ, placement.cpu_ids[0] if is_inherited else ())

    def _wants_rank_gpus(self, spec: JobSpec) -> bool:
        return spec.ranks_per_node > 1 and spec.environ.get(_PER_RANK, self._per_rank) not in ("", "0")

    def _run(
        self, argv: Sequence[str], spec: JobSpec, placement: Placement, masks: Mapping[str, str]
    ) -> MpiRun:
        return MpiRun(
            argv=argv,
            num_ranks=spec.num_ranks,
            ranks_per_node=spec.ranks_per_node,
            hosts=placement.nodes,
            this_host=self._this_host,
            flags=spec.mpi_flags,
            threads_per_rank=spec.threads_per_rank,
            threads_per_core=spec.threads_per_core,
            cpu_affinity=spec.cpu_affinity,
            cpu_ids=placement.cpu_ids[0],
            gpus_per_rank=spec.gpus_per_rank,
            gpu_masks=masks,
            is_alone=spec.num_nodes > 1 or spec.node_packing_count <= 1,
            hostfile=self._hostfile,
        )

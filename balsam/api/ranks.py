"""Which rank of its job this process is."""

import os
import sys
from collections.abc import Mapping

from balsam.exceptions import UsageError

__all__ = ["rank_of"]

#: In order: what an inner launcher sets comes before what is inherited from an outer one.
_VARIABLES = (
    "PMI_RANK",  # Hydra
    "PALS_RANKID",
    "PMIX_RANK",
    "OMPI_COMM_WORLD_RANK",
    "MV2_COMM_WORLD_RANK",
    "ALPS_APP_PE",
    "JSM_NAMESPACE_RANK",
    "SLURM_PROCID",
)


def rank_of(num_ranks: int, environ: Mapping[str, str] = os.environ) -> int:
    """Return the number of this rank, as mpi4py says where it is in use, else as the MPI launcher does.

    In a job of one rank it is 0, whatever is inherited. Raises UsageError when nothing says it.
    """
    if num_ranks == 1:
        return 0
    if (mpi := sys.modules.get("mpi4py.MPI")) and mpi.Is_initialized() and not mpi.Is_finalized():
        rank: int = mpi.COMM_WORLD.Get_rank()
        return rank
    for name in _VARIABLES:
        if (text := environ.get(name, "")).isdigit():
            return int(text)
    raise UsageError(
        f"The job has {num_ranks} ranks, and nothing says which this is. Import mpi4py.MPI in `run`."
    )

"""Show each rank of a job its own part of the job's GPUs: a few words of shell before the application.

The rank on its node is known only when it runs, by a variable whose name the MPI launcher chooses.
"""

from collections.abc import Sequence

from balsam.exceptions import JobStartError

__all__ = ["gpu_shares", "with_rank_gpus"]

#: In order: what an inner launcher sets comes before what is inherited from an outer one.
_LOCAL_RANKS = (
    "MPI_LOCALRANKID",  # Hydra
    "PMI_LOCAL_RANK",
    "PALS_LOCAL_RANKID",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MV2_COMM_WORLD_LOCAL_RANK",
    "SLURM_LOCALID",
)
_RANK = "".join(f"${{{name}-" for name in _LOCAL_RANKS) + "}" * len(_LOCAL_RANKS)
#: ``$1`` is the variable, ``$2`` the shares in the order of the ranks, the rest the command. One line,
#: because not every launcher hands a line end on.
_SCRIPT = (
    f"balsam_rank={_RANK}; "
    'case $balsam_rank in ""|*[!0-9]*) echo "balsam: the MPI launcher does not tell a rank its number on the '
    'node, so that it cannot be shown its own GPUs. Unset BALSAM_GPUS_PER_RANK." >&2; exit 1;; esac; '
    "balsam_mask=$1; "
    'for balsam_share in $2; do [ "$balsam_rank" -ne 0 ] || export "$balsam_mask=$balsam_share"; '
    "balsam_rank=$((balsam_rank - 1)); done; "
    'shift 2; unset balsam_rank balsam_mask balsam_share; exec "$@"'
)


def gpu_shares(gpus: Sequence[str], num_ranks: int) -> list[str]:
    """Deal the GPUs of a node to its ranks, evenly and in their order; ranks share where they are more."""
    count = len(gpus)
    if num_ranks >= count:
        return [gpus[rank * count // num_ranks] for rank in range(num_ranks)]
    bounds = [rank * count // num_ranks for rank in range(num_ranks + 1)]
    return [",".join(gpus[bounds[rank] : bounds[rank + 1]]) for rank in range(num_ranks)]


def with_rank_gpus(argv: Sequence[str], variable: str, gpus: Sequence[str], num_ranks: int) -> list[str]:
    """Put before a command what sets ``variable`` to a rank's own GPUs; ``num_ranks`` are those of a node.

    Raises JobStartError where there are no GPUs to deal.
    """
    if not gpus:
        raise JobStartError(
            "Cannot show each rank its own GPUs, as BALSAM_GPUS_PER_RANK asks: the job has none. "
            "Set its gpus_per_rank, or unset BALSAM_GPUS_PER_RANK."
        )
    return ["/bin/sh", "-c", _SCRIPT, "sh", variable, " ".join(gpu_shares(gpus, num_ranks)), *argv]

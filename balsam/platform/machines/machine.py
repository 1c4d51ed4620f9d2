"""What is known of one machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from balsam.platform.nodes import NodeDescription

__all__ = ["Machine", "QueueLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """What a queue takes: nodes and minutes of one batch job, and a user's batch jobs at once."""

    max_nodes: int
    max_queued: int
    max_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine, as its directory describes it; see docs/machines.md.

    ``scheduler``, ``mpi_run_template`` and ``worker_detection_type`` are names such as `SCHEDULER_CLASS`,
    `MPI_RUN_TEMPLATE` and `WORKER_DETECTION_TYPE` in settings.json take.
    """

    name: str
    #: The machine's name in words.
    title: str
    scheduler: str
    mpi_run_template: str
    worker_detection_type: str
    #: CPUs, one for each core, GPUs and memory of a node; empty where the scheduler or the node itself tells.
    nodes: NodeDescription = field(default_factory=NodeDescription)
    #: Hardware threads of a core.
    threads_per_core: int = 1
    #: See `balsam.platform.gpus`.
    gpu_kind: str = "cuda"
    #: Whether several runs of the MPI launcher can be on one node at once.
    mpi_shares_nodes: bool = True
    default_project: str = ""
    #: Runs of the MPI launcher at once, and in all, in one allocation; 0: no limit.
    max_concurrent_mpiruns: int = 1000
    max_mpi_launches_per_allocation: int = 0
    queues: Mapping[str, QueueLimits] = field(default_factory=dict)
    #: Files of the machine's directory.
    job_template: Path
    queue_policy: Path

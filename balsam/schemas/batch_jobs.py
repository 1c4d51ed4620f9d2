"""Batch jobs (allocations asked of a scheduler) as clients ask for and see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from balsam.schemas.sessions import Selection
from balsam.states import BatchJobEnd, BatchJobState

__all__ = [
    "BatchJobInfo",
    "BatchJobObservation",
    "BatchJobRequest",
    "Demand",
    "DemandRequest",
    "ObservationReply",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJobRequest:
    """An intent: an allocation that is wanted. ``scheduler`` is the adapter's name."""

    scheduler: str
    project: str
    queue: str
    num_nodes: int
    wall_time_min: int
    #: "serial" or "mpi".
    job_mode: str
    workflow: str = ""
    #: More words for the submit command, as the user wrote them.
    sched_flags: str = ""
    #: More values for the job template.
    optional_params: Mapping[str, str] = field(default_factory=dict)
    site_id: int = 1
    filter_tags: Mapping[str, str] = field(default_factory=dict)
    #: Parts of the allocation: job_mode, num_nodes, filter_tags of each; None for one whole.
    partitions: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJobInfo:
    """A batch job as the core knows it; times are aware UTC."""

    batch_job_id: int
    #: Its name at the scheduler, by which it is found when nobody knows whether it was submitted; '' for one
    #: that Balsam has not submitted.
    marker: str
    scheduler: str
    scheduler_id: str
    state: BatchJobState
    native_state: str
    project: str
    queue: str
    num_nodes: int
    wall_time_min: int
    job_mode: str
    workflow: str
    sched_flags: str
    optional_params: Mapping[str, str]
    #: False for those of the user's that Balsam has not submitted.
    from_balsam: bool
    created: datetime
    #: When the submit command was last begun; None before the first time.
    submit_began: datetime | None
    #: Nobody else submits it before then.
    submitting_until: datetime | None
    submitted: datetime | None
    started: datetime | None
    ended: datetime | None
    end: BatchJobEnd | None
    #: Since when the scheduler, asked again and again, does not know it.
    missing_since: datetime | None
    #: Why it waits, was refused, or ended; for people.
    reason: str
    #: Path of the rendered script.
    command: str
    #: The time by the database's clock when this was read: only differences from it tell how long ago.
    as_of: datetime = field(compare=False)
    site_id: int = 1
    filter_tags: Mapping[str, str] = field(default_factory=dict)
    partitions: Sequence[Mapping[str, Any]] | None = None

    def age_sec(self, when: datetime | None) -> float:
        """Return the seconds since one of these times of the database; infinite for None."""
        return float("inf") if when is None else (self.as_of - when).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJobObservation:
    """What a scheduler said of one batch job; None and '' leave what is known.

    It is applied only if the batch job may be in that state after the one it is in. A state of UNKNOWN
    changes none.
    """

    scheduler: str
    scheduler_id: str
    state: BatchJobState
    native_state: str = ""
    #: Its name at the scheduler; one that is a marker proves which batch job it is.
    name: str = ""
    #: Given by listings: then a row is made for a batch job that is not Balsam's.
    queue: str = ""
    project: str = ""
    num_nodes: int | None = None
    wall_time_min: int | None = None
    started: datetime | None = None
    ended: datetime | None = None
    end: BatchJobEnd | None = None
    reason: str = ""
    #: Neither a complete listing nor the account knows it: nothing is changed, but it counts since when.
    is_missing: bool = False


@dataclass(frozen=True, slots=True)
class ObservationReply:
    """How many observations changed a row, and the batch jobs that ended by them."""

    changed: int
    ended: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandRequest(Selection):
    """Ask for the work that launchers could do, and that they do."""

    with_running: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """``count`` jobs of one shape.

    ``is_ready`` jobs are free to be run, ``is_running`` ones run; the others become ready when hooks, staging
    or parents are done. ``packing`` jobs fit on one node at once; 1 for a job that needs whole nodes.
    """

    num_nodes: int
    num_ranks: int
    packing: int
    wall_time_min: int
    is_ready: bool
    count: int
    is_running: bool = False

    @property
    def total_nodes(self) -> float:
        """The nodes of all of them; those that share a node count as parts of it."""
        return self.count * self.num_nodes / self.packing

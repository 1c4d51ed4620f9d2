"""What an explanation is made from: plain facts about a job and all that could move it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from balsam.states import BatchJobState, JobState, TransferState

__all__ = [
    "SILENT_SEC",
    "BatchJobFacts",
    "EventFacts",
    "Facts",
    "JobFacts",
    "ParentFacts",
    "ProcessFacts",
    "Said",
    "SiteFacts",
    "TransferFacts",
]

#: Longer than that without a heartbeat, and a process is told of as silent; it should come each minute.
SILENT_SEC = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """The job."""

    number: int
    job_id: str = ""
    #: As people know it.
    name: str
    state: JobState
    num_nodes: int = 1
    ranks_per_node: int = 1
    gpus_per_rank: float = 0.0
    memory_mb: int = 0
    wall_time_min: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    workflow: str = ""
    #: Seconds since it entered its state.
    in_state_sec: float = 0.0
    return_code: int | None = None
    attempt: int = 0
    holds_for_failed_parent: bool = False
    output: str = ""

    @property
    def gpus(self) -> float:
        """GPUs on each of its nodes."""
        return self.gpus_per_rank * self.ranks_per_node

    @property
    def is_parallel(self) -> bool:
        """Whether it has more than one rank."""
        return self.num_nodes > 1 or self.ranks_per_node > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentFacts:
    """A parent that has not finished."""

    number: int
    name: str
    state: JobState
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFacts:
    """A file or directory that is not where it is to be."""

    number: int
    #: Where it comes from, or goes to.
    place: str
    state: TransferState
    failures: int = 0
    #: What was last said of it.
    message: str = ""
    #: Trying again is of no use before somebody does what that says.
    needs_you: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFacts:
    """One entry of the job's history."""

    state: JobState
    message: str = ""
    cause: str = ""
    age_sec: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFacts:
    """A session that has not ended: a launcher, or the agent of the site."""

    session_id: int
    host: str
    pid: int
    is_agent: bool = False
    #: Seconds since it was heard of.
    silent_sec: float = 0.0
    #: Seconds until others take over what it has.
    lease_sec: float = 0.0
    #: It is known to be dead.
    is_dead: bool = False
    age_sec: float = 0.0
    scheduler_id: str = ""
    #: What it says of itself; of launchers, see `balsam.launcher.surroundings`.
    about: Mapping[str, Any] = field(default_factory=dict)
    #: How many jobs it runs.
    running: int = 0

    @property
    def is_lost(self) -> bool:
        """Whether nobody hears of it any more."""
        return self.is_dead or self.lease_sec < 0 or self.silent_sec > SILENT_SEC

    @property
    def text(self) -> str:
        """Name it."""
        return f"the {'agent' if self.is_agent else 'launcher'} on {self.host} (pid {self.pid})"

    @property
    def does_steps(self) -> bool:
        """Whether it does hooks and staging."""
        return bool(self.about.get("steps", 1))

    @property
    def moves_files(self) -> bool:
        """Whether it does transfers; while there is an agent, launchers leave them to it."""
        return bool(self.about.get("moves_files", True))

    @property
    def tags(self) -> Mapping[str, str]:
        """What it looks after has these tags."""
        return self.about.get("tags") or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchJobFacts:
    """A batch job of the site that has not ended, or the last that has."""

    number: int
    scheduler_id: str = ""
    state: BatchJobState
    queue: str = ""
    num_nodes: int
    wall_time_min: int
    job_mode: str = "mpi"
    workflow: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    partitions: tuple[Mapping[str, Any], ...] = ()
    #: What the scheduler says of it.
    reason: str = ""
    #: Seconds since it began to run, was submitted, or ended.
    age_sec: float = 0.0
    end: str = ""

    @property
    def text(self) -> str:
        """Name it."""
        known = f" ({self.scheduler_id} at the scheduler)" if self.scheduler_id else ""
        return f"batch job {self.number}{known}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """The site of the job."""

    number: int = 2
    name: str
    path: str = ""
    #: It is the database directory itself.
    is_first: bool = False
    queues: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    projects: tuple[str, ...] = ()
    #: What is known of its nodes: gpus, memory_mb; a missing one is not known.
    node: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All of it."""

    job: JobFacts
    site: SiteFacts
    has_app: bool = True
    app_name: str = ""
    #: The application has files deleted after the end; and that is still to be done for this job.
    cleans: bool = False
    is_to_be_cleaned: bool = False
    parents: tuple[ParentFacts, ...] = ()
    num_parents: int = 0
    #: Those that its state waits for: some of them, the oldest first.
    transfers: tuple[TransferFacts, ...] = ()
    #: Who has the job.
    holder: ProcessFacts | None = None
    agent: ProcessFacts | None = None
    #: Where something of the site was last at work.
    host: str = ""
    launchers: tuple[ProcessFacts, ...] = ()
    batch_jobs: tuple[BatchJobFacts, ...] = ()
    last_batch_job: BatchJobFacts | None = None
    #: The newest last.
    events: tuple[EventFacts, ...] = ()
    #: Session -> why that launcher has given the job back.
    given_back: Mapping[int, str] = field(default_factory=dict)
    #: Other jobs of the site that are ready to run; at most `MAX_READY`.
    num_ready: int = 0

    @property
    def processes(self) -> tuple[ProcessFacts, ...]:
        """Launchers and the agent."""
        return (*self.launchers, *((self.agent,) if self.agent else ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The answer."""

    reason: str
    text: str
    next_step: str
    details: tuple[str, ...] = ()
    needs_you: bool = False

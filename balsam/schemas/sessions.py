"""Who holds jobs: requests and replies about sessions (leases) and claims."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from balsam.states import JobState

__all__ = [
    "JOB_ORDERS",
    "ClaimBounds",
    "ClaimRequest",
    "Outlook",
    "OutlookRequest",
    "ReportReply",
    "Selection",
    "SessionInfo",
    "SessionRequest",
    "StepClaimRequest",
    "session_mark",
]


#: Those of many nodes first, or those that take long.
JOB_ORDERS = ("large_first", "long_large_first")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """Identity of a process that wants to hold jobs (see `balsam.lib.processes.ProcessIdentity`)."""

    kind: str
    host: str
    boot_id: str
    pid: int
    #: Start time of the process in seconds, as the operating system tells it: to be compared, not read.
    start_time: float
    label: str = ""
    #: The batch job in which the process runs; '' outside of one.
    scheduler_id: str = ""
    site_id: int = 1
    #: What the process says of itself, for people: plain data.
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session: ``expires_sec`` is how long the lease lasts without a heartbeat."""

    session_id: int
    kind: str
    host: str
    boot_id: str
    pid: int
    start_time: float
    expires_sec: float
    #: A name of the database that no other has.
    database: str = ""

    @property
    def mark(self) -> str:
        """What BALSAM_SESSION is in the environment of this session's jobs and hooks."""
        return session_mark(self.database, self.session_id)


def session_mark(database: str, session_id: int) -> str:
    """Name a session as no other of any database is named; its processes are found by it."""
    return f"{database}:{session_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which jobs: those of one site, whose workflow contains a text, and that have all of these tags."""

    workflow: str = ""
    site_id: int = 1
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimBounds(Selection):
    """What a launcher can run.

    ``max_nodes`` bounds each job; ``max_wall_time_min`` leaves out jobs that would not finish in time
    (None: no bound). ``serial_only`` means one node and one rank.
    """

    max_nodes: int = 1
    max_wall_time_min: float | None = None
    serial_only: bool = False
    #: Jobs this launcher has found it can never place.
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRequest(ClaimBounds):
    """Ask for at most ``limit`` runnable jobs, best first."""

    session_id: int
    limit: int
    #: Which jobs of equal priority come first; see `JOB_ORDERS`.
    order: str = "large_first"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlookRequest(ClaimBounds):
    """Ask what is left, for a launcher with these bounds."""

    session_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepClaimRequest(Selection):
    """Ask for at most ``limit`` jobs whose next step is a hook or staging."""

    session_id: int
    limit: int
    states: tuple[JobState, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportReply:
    """Outcome of a batch of reports: how many were applied, and the jobs whose report came too late.

    ``failed`` and ``finished`` count the jobs that this batch brought to FAILED and to JOB_FINISHED;
    ``released`` the children it made ready. ``run`` are those whose program has ended well, and which are not
    finished: a hook, or the taking out of results, is next.
    """

    applied: int
    late: tuple[str, ...] = ()
    finished: int = 0
    failed: int = 0
    released: int = 0
    run: int = 0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is left for a launcher, by what it could do about it."""

    #: Free to be claimed and small enough for this launcher.
    runnable: int
    #: Waiting for a hook, staging or a parent that may still finish.
    processable: int
    #: Held by a session (this one or another).
    held: int
    #: Runnable, but not by this launcher.
    unfit: int
    #: Waiting for parents.
    waiting: int
    #: Held by the session that asks.
    mine: int = 0
    #: In a hook or staging of another session, after which they may be runnable.
    in_other_steps: int = 0
    #: Unfit: of more nodes than the launcher has, and the largest number of these.
    too_large: int = 0
    most_nodes: int = 0
    #: Unfit otherwise: of several ranks, for a launcher in serial mode.
    too_parallel: int = 0
    #: Unfit otherwise: expected to run longer than the time that is left.
    too_long: int = 0

    @property
    def unplaceable(self) -> int:
        """Unfit otherwise: the launcher has found that it can never place them."""
        return self.unfit - self.too_large - self.too_parallel - self.too_long

    @property
    def is_empty(self) -> bool:
        """Nothing can become runnable here without somebody adding work."""
        return not (self.runnable or self.processable or self.held)

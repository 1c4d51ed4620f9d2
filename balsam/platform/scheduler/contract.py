"""What every batch system is to Balsam: values, and the adapter that turns them into text and back.

An adapter is text <-> data and never runs anything; `balsam.lib.commands` does. Guards that an answer which
cannot be read means *unknown*: no parser raises for it, and none takes silence for the end of a batch job.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from balsam.lib.commands import Answer, Command
from balsam.states import BatchJobEnd, BatchJobState

__all__ = [
    "Allocation",
    "BackfillWindow",
    "Cancellation",
    "History",
    "Listing",
    "PastBatchJob",
    "QueuedBatchJob",
    "SchedulerAdapter",
    "Submission",
    "SubmitRequest",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRequest:
    """One batch job to be asked for.

    ``name`` holds the marker by which it is found again: at most 15 characters of ``[A-Za-z0-9_-]``, a letter
    first, which every scheduler takes. ``extra_flags`` are words for the submit command, already split.
    """

    script: Path
    name: str
    project: str
    queue: str
    num_nodes: int
    wall_time_min: int
    #: Directory in which the batch job starts.
    cwd: Path
    #: Standard output and error of the batch job go to files of this name with the scheduler's endings.
    output: Path
    extra_flags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """What a submit command answered.

    ``scheduler_id`` is '' when the answer names none. ``refused`` holds the scheduler's own words when it
    certainly has not taken the job; with neither, nobody knows, and the marker is to be looked for.
    """

    scheduler_id: str = ""
    refused: str = ""

    @property
    def is_unknown(self) -> bool:
        """Whether the scheduler may or may not have taken the job."""
        return not self.scheduler_id and not self.refused


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedBatchJob:
    """A batch job that the scheduler lists now.

    ``state`` is UNKNOWN for a native state that is in no table. Unknown numbers and times are None, unknown
    texts ''.
    """

    scheduler_id: str
    state: BatchJobState
    #: The scheduler's own word.
    native_state: str
    name: str = ""
    queue: str = ""
    project: str = ""
    num_nodes: int | None = None
    wall_time_min: int | None = None
    time_remaining_min: float | None = None
    command: str = ""
    #: Why it waits, or how it ended, where the listing says.
    reason: str = ""
    #: For a state of FINISHED: how it ended.
    end: BatchJobEnd = BatchJobEnd.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The user's batch jobs, by scheduler id.

    Only when ``is_complete`` does the absence of a batch job say anything. ``problem`` tells what could not
    be read.
    """

    jobs: Mapping[str, QueuedBatchJob] = field(default_factory=dict)
    is_complete: bool = True
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastBatchJob:
    """What accounting says of one batch job; times are aware UTC, None where unknown.

    ``end`` is None while it has not ended.
    """

    scheduler_id: str
    name: str = ""
    native_state: str = ""
    end: BatchJobEnd | None = None
    reason: str = ""
    #: When it was submitted: tells a batch job from an older one with the same id.
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What accounting answered, by scheduler id; see `Listing` for ``is_complete``."""

    jobs: Mapping[str, PastBatchJob] = field(default_factory=dict)
    is_complete: bool = True
    problem: str = ""


class Cancellation(StrEnum):
    """What a cancel command did."""

    #: The scheduler has taken the request.
    ACCEPTED = "accepted"
    #: The scheduler does not know such a job: it has ended.
    GONE = "gone"
    #: Nobody knows; ask again.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class BackfillWindow:
    """Nodes that are idle now, and for how long."""

    num_nodes: int
    wall_time_min: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The batch job this process runs in, as its environment tells."""

    scheduler: str
    scheduler_id: str


class SchedulerAdapter(Protocol):
    """One batch system. Each ``parse_`` takes the answer of the command of its name, and never raises."""

    #: As in `SCHEDULER_CLASS` of settings.json.
    name: str
    #: The command whose presence on PATH says that this batch system is here.
    probe: str
    #: Whether ended batch jobs stay in the listing, or accounting can be asked: an absent id is then unknown.
    keeps_history: bool
    #: Whether a listing shows the name under which a batch job was submitted.
    lists_names: bool

    def submit_command(self, request: SubmitRequest) -> Command:
        """Return the command that asks for a batch job."""

    def parse_submit(self, answer: Answer) -> Submission:
        """Read what it answered."""

    def status_command(self, user: str) -> Command:
        """Return the command that lists the user's batch jobs, in an explicit output format."""

    def parse_status(self, answer: Answer, user: str = "") -> Listing:
        """Read the listing; rows of other users are left out, rows that cannot be read make it incomplete."""

    def history_command(
        self, scheduler_ids: Sequence[str], since: datetime, name: str = "", user: str = ""
    ) -> Command | None:
        """Return the command that asks accounting for these ids, or for one name; None without accounting."""

    def parse_history(self, answer: Answer) -> History:
        """Read what accounting says."""

    def cancel_command(self, scheduler_id: str) -> Command:
        """Return the command that cancels a batch job."""

    def parse_cancel(self, answer: Answer) -> Cancellation:
        """Read what it did."""

    def backfill_command(self) -> Command | None:
        """Return the command that tells of idle nodes; None where there is none."""

    def parse_backfill(self, answer: Answer) -> dict[str, list[BackfillWindow]]:
        """Return the windows by queue, longest first; empty when the answer cannot be read."""

    def projects_command(self, user: str) -> Command | None:
        """Return the command that lists the user's projects; None where there is none."""

    def parse_projects(self, answer: Answer) -> list[str]:
        """Return the projects, sorted; empty when the answer cannot be read."""

    def allocation(self, environ: Mapping[str, str]) -> Allocation | None:
        """Return the batch job in whose environment this is; None outside of one."""

    def time_left_command(self, scheduler_id: str) -> Command | None:
        """Return the command that tells how long an allocation lasts; None where there is none."""

    def parse_time_left(self, answer: Answer) -> float | None:
        """Return the minutes left; None for no limit and for an answer that cannot be read."""

"""IBM Spectrum LSF: bsub, bjobs, bkill, bslots."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from balsam.lib.commands import Answer, Command
from balsam.platform.scheduler import lsf_records
from balsam.platform.scheduler.answers import UTC_ENVIRON, cancellation, count, script_word, submission
from balsam.platform.scheduler.contract import (
    Allocation,
    BackfillWindow,
    Cancellation,
    History,
    Listing,
    Submission,
    SubmitRequest,
)
from balsam.platform.scheduler.times import clock

__all__ = ["Lsf"]

_ID_LINE = re.compile(r"^Job <(\d+)> is submitted to .*\n", re.MULTILINE | re.ASCII)
#: Whatever bsub ends with these words, it has not taken; see also answers._DOUBTS.
_REFUSALS = ("job not submitted", "request aborted by esub", "bsub: ")
_GONE = ("no matching job found", "job has already finished", "is not found")
_WINDOW = re.compile(
    r"^\s*(\d+)\s+(?:(UNLIMITED)|(?:(\d+) hours? ?)?(?:(\d+) minutes? ?)?(?:\d+ seconds?)?)\s*$"
)
#: As on Summit, the one machine whose compute nodes are selected by CN; and its queue.
_COMPUTE_NODES = "select[CN]"
_QUEUE = "batch"
_UNLIMITED_MIN = 24 * 60
_FORMAT = " ".join(lsf_records.FIELDS)
_ENVIRON = {**UTC_ENVIRON, "LSB_HMS_TIME_FORMAT": "N"}


def _now() -> datetime:
    return datetime.now(UTC)


class Lsf:
    """Text of LSF's commands; bjobs shows what has ended for an hour or so (CLEAN_PERIOD).

    ``now`` tells the year of times that say none.
    """

    name = "lsf"
    probe = "bsub"
    keeps_history = True
    lists_names = True

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now

    def submit_command(self, request: SubmitRequest) -> Command:
        """Return the command; LSF takes hours and minutes."""
        return Command([
            "bsub", "-J", request.name, *(["-P", request.project] if request.project else []),
            *(["-q", request.queue] if request.queue else []), "-nnodes", str(request.num_nodes),
            "-W", clock(request.wall_time_min).removesuffix(":00"), "-cwd", str(request.cwd),
            "-o", f"{request.output}.output",
            *request.extra_flags, script_word(request.script),
        ])  # fmt: skip

    def parse_submit(self, answer: Answer) -> Submission:
        """Read the id."""
        return submission(answer, _ID_LINE, _REFUSALS)

    def status_command(self, user: str) -> Command:
        """Return the command."""
        return Command(["bjobs", "-a", "-u", user, "-o", _FORMAT, "-json"], _ENVIRON)

    def parse_status(self, answer: Answer, user: str = "") -> Listing:
        """Read the records, which bjobs has counted."""
        return lsf_records.listing(answer, user)

    def history_command(
        self, scheduler_ids: Sequence[str], since: datetime, name: str = "", user: str = ""
    ) -> Command:
        """Return the command."""
        which = ["-u", user or "all", "-J", name] if name else ["-u", "all"]
        argv = ["bjobs", "-a", *which, "-o", _FORMAT, "-json", *([] if name else scheduler_ids)]
        return Command(argv, _ENVIRON)

    def parse_history(self, answer: Answer) -> History:
        """Read the records; ids that are unknown are in a whole answer, too."""
        return lsf_records.history(answer, self._now())

    def cancel_command(self, scheduler_id: str) -> Command:
        """Return the command."""
        return Command(["bkill", scheduler_id])

    def parse_cancel(self, answer: Answer) -> Cancellation:
        """Read what is said of the id."""
        return cancellation(answer, _GONE)

    def backfill_command(self) -> Command:
        """Return the command."""
        return Command(["bslots", f"-R{_COMPUTE_NODES}"])

    def parse_backfill(self, answer: Answer) -> dict[str, list[BackfillWindow]]:
        """Read the slots that are free, and for how long."""
        found = []
        for line in answer.stdout.split("\n") if answer.is_ok else ():
            match = _WINDOW.match(line)
            if match:
                hours, rest = (count(text or "0") or 0 for text in match.group(3, 4))
                idle_min = _UNLIMITED_MIN if match[2] else hours * 60 + rest
                found.append(BackfillWindow((count(match[1]) or 0) // lsf_records.SLOTS_PER_NODE, idle_min))
        found = [window for window in found if window.num_nodes and window.wall_time_min]
        found.sort(key=lambda window: -window.wall_time_min)
        return {_QUEUE: found} if found else {}

    def projects_command(self, user: str) -> None:
        """Return None: LSF knows no projects of users."""

    def parse_projects(self, answer: Answer) -> list[str]:
        """Return nothing: there is no such command."""
        return []

    def allocation(self, environ: Mapping[str, str]) -> Allocation | None:
        """Read the id."""
        found = environ.get("LSB_JOBID", "")
        return Allocation(scheduler=self.name, scheduler_id=found) if found else None

    def time_left_command(self, scheduler_id: str) -> Command:
        """Return the command."""
        return Command(["bjobs", "-o", _FORMAT, "-json", scheduler_id], _ENVIRON)

    def parse_time_left(self, answer: Answer) -> float | None:
        """Read the one record."""
        listing = lsf_records.listing(answer, "")
        left = [job.time_remaining_min for job in listing.jobs.values() if listing.is_complete]
        return left[0] if left else None

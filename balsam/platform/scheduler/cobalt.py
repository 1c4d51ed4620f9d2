"""Cobalt, of Theta, ThetaGPU and Cooley: qsub, qstat, qdel, nodelist. It keeps no history."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from balsam.lib.commands import Answer, Command
from balsam.platform.scheduler.answers import (
    cancellation,
    count,
    merged,
    native,
    script_word,
    submission,
)
from balsam.platform.scheduler.contract import (
    Allocation,
    BackfillWindow,
    Cancellation,
    History,
    Listing,
    QueuedBatchJob,
    Submission,
    SubmitRequest,
)
from balsam.platform.scheduler.times import clock, minutes, whole_minutes
from balsam.states import BatchJobEnd, BatchJobState

__all__ = ["Cobalt"]

B = BatchJobState

#: https://github.com/ido/cobalt/blob/master/man/POSIX/qstat.1 and, for holds, qhold.1 beside it
_STATES = {
    "queued": B.QUEUED, "hold": B.QUEUED, "user_hold": B.QUEUED, "admin_hold": B.QUEUED,
    "dep_hold": B.QUEUED, "dep_fail": B.QUEUED, "maxrun_hold": B.QUEUED, "user_dep_hold": B.QUEUED,
    "script_hold": B.QUEUED, "preempted": B.QUEUED, "starting": B.RUNNING, "running": B.RUNNING,
    "preempting": B.RUNNING, "killing": B.RUNNING, "exiting": B.RUNNING, "terminal": B.FINISHED,
    "done": B.FINISHED, "finished": B.FINISHED, "failed": B.FINISHED,
}  # fmt: skip
#: Columns of qstat; the last two may be of several words, or none.
_COLUMNS = (
    "JobID", "User", "State", "Queue", "Nodes", "Project", "WallTime", "TimeRemaining", "JobName", "Command",
)  # fmt: skip
#: Cobalt prefers this variable.
_OTHER_HEADERS = ("CQSTAT_HEADER",)
_HEADER = [name.lower() for name in _COLUMNS]
_ID_LINE = re.compile(r"^(\d+)\n", re.MULTILINE | re.ASCII)
_REFUSALS = (
    "does not exist", "not in a state to accept", "is not a valid project", "out of bounds", "not found",
    "has been reached", "no active queue", "invalid project", "invalid queue", "not allowed to submit",
    "greater than the maximum", "less than the minimum", "walltime is", "usage: qsub", "no such option",
    "option requires an argument", "are required", "could not find", "is not permitted",
)  # fmt: skip
_GONE = ("not found", "no jobs", "has already")
_MISSING = ("N/A", "-", "None")


class Cobalt:
    """Text of Cobalt's commands."""

    name = "cobalt"
    probe = "nodelist"
    keeps_history = False
    lists_names = True

    def submit_command(self, request: SubmitRequest) -> Command:
        """Return the command; Cobalt adds .output, .error and .cobaltlog to the prefix."""
        return Command([
            "qsub", *(["-A", request.project] if request.project else []),
            *(["-q", request.queue] if request.queue else []), "-n", str(request.num_nodes),
            "-t", clock(request.wall_time_min), "--jobname", request.name, "--cwd", str(request.cwd),
            "-O", str(request.output), *request.extra_flags, script_word(request.script),
        ])  # fmt: skip

    def parse_submit(self, answer: Answer) -> Submission:
        """Read the id, which stands alone on a line, below what the site has to say."""
        return submission(answer, _ID_LINE, _REFUSALS)

    def status_command(self, user: str) -> Command:
        """Return the command."""
        return Command(["qstat", "-u", user], {"QSTAT_HEADER": ":".join(_COLUMNS)}, unset=_OTHER_HEADERS)

    def parse_status(self, answer: Answer, user: str = "") -> Listing:
        """Read the table; its header is there for a user who has no batch job, too."""
        lines = _below(answer.stdout, _HEADER)
        problem = "" if answer.is_ok else answer.words
        rows = [_words(line) for line in lines or ()]
        good = [row for row in rows if row is not None]
        if not problem and (lines is None or len(good) < len(rows) or not answer.stdout.endswith("\n")):
            problem = f"the answer of qstat is cut short or garbled: {answer.stdout[-200:]!r}"
        if answer.stdout and not answer.stdout.endswith("\n"):
            good = good[:-1]
        jobs = merged(_queued(row) for row in good if user in ("", row[1]))
        return Listing(jobs=jobs, is_complete=not problem, problem=problem)

    def history_command(
        self, scheduler_ids: Sequence[str], since: datetime, name: str = "", user: str = ""
    ) -> None:
        """Return None: Cobalt tells users nothing of batch jobs that have ended."""

    def parse_history(self, answer: Answer) -> History:
        """Return nothing: there is no such command."""
        return History(is_complete=False, problem="Cobalt keeps no history")

    def cancel_command(self, scheduler_id: str) -> Command:
        """Return the command."""
        return Command(["qdel", scheduler_id])

    def parse_cancel(self, answer: Answer) -> Cancellation:
        """Read what is said of the id."""
        return cancellation(answer, _GONE)

    def backfill_command(self) -> Command:
        """Return the command."""
        return Command(["nodelist"])

    def parse_backfill(self, answer: Answer) -> dict[str, list[BackfillWindow]]:
        """Count the nodes that are idle for so long, and for longer."""
        times: dict[str, list[int]] = {}
        for row in _nodes(answer.stdout) if answer.is_ok else ():
            idle = minutes(row.get("backfill", ""))
            if idle and idle >= 1 and row.get("status") == "idle":
                for queue in row.get("queues", "").split(":"):
                    times.setdefault(queue, []).append(int(idle))
        return {queue: _windows(found) for queue, found in times.items()}

    def projects_command(self, user: str) -> None:
        """Return None: who may use what is kept elsewhere."""

    def parse_projects(self, answer: Answer) -> list[str]:
        """Return nothing: there is no such command."""
        return []

    def allocation(self, environ: Mapping[str, str]) -> Allocation | None:
        """Read the id."""
        found = environ.get("COBALT_JOBID", "")
        return Allocation(scheduler=self.name, scheduler_id=found) if found else None

    def time_left_command(self, scheduler_id: str) -> Command:
        """Return the command."""
        environ = {"QSTAT_HEADER": "JobID:TimeRemaining"}
        return Command(["qstat", scheduler_id], environ, unset=_OTHER_HEADERS)

    def parse_time_left(self, answer: Answer) -> float | None:
        """Read the one row."""
        rows = [line.split() for line in _below(answer.stdout, ["jobid", "timeremaining"]) or ()]
        found = [minutes(row[1]) for row in rows if len(row) == 2 and answer.is_ok]
        return found[0] if found else None


def _below(text: str, header: list[str]) -> list[str] | None:
    """Return the lines below the header and its rule, which is there without rows, too; else None.

    A rule that is as wide as rows have made it, and without any, has lost them.
    """
    lines = iter(text.split("\n"))
    for line in lines:
        if line.lower().split() == header:
            rule, rows = next(lines, "").strip(), [row for row in lines if row.strip()]
            is_rule = bool(rule) and not rule.strip("=")
            is_plausible = bool(rows) or len(rule) <= sum(len(name) + 2 for name in header)
            return rows if is_rule and is_plausible else None
    return None


def _words(line: str) -> list[str] | None:
    """Split a row; None for what is none."""
    words = line.split(None, len(_COLUMNS) - 1)
    if len(words) < len(_COLUMNS) - 2 or count(words[0]) is None or count(words[4]) is None:
        return None
    if not words[2].replace("_", "").isalpha() or ":" not in words[6]:
        return None
    return words + [""] * (len(_COLUMNS) - len(words))


def _queued(row: list[str]) -> QueuedBatchJob:
    scheduler_id, _, word, queue, nodes, project, limit, left, name, command = row
    return QueuedBatchJob(
        scheduler_id=scheduler_id,
        state=native(_STATES, word, "Cobalt", B.UNKNOWN),
        native_state=word,
        name="" if name in _MISSING else name,
        queue=queue,
        project="" if project in _MISSING else project,
        num_nodes=count(nodes),
        wall_time_min=whole_minutes(limit),
        time_remaining_min=minutes(left),
        command=command.strip(),
        reason="a batch job that it depends on has failed" if word == "dep_fail" else "",
        end=BatchJobEnd.FAILED if word == "failed" else BatchJobEnd.UNKNOWN,
    )


def _nodes(text: str) -> Iterator[dict[str, str]]:
    """Give the rows of nodelist by their header; which columns there are depends on the machine."""
    names: list[str] = []
    for line in text.split("\n"):
        words = line.split()
        if words[:1] == ["Node_id"]:
            names = [word.lower() for word in words]
        elif names and len(words) == len(names):
            yield dict(zip(names, words, strict=True))


def _windows(times: list[int]) -> list[BackfillWindow]:
    return [
        BackfillWindow(sum(other >= idle for other in times), idle)
        for idle in sorted(set(times), reverse=True)
    ]

"""The local queue of this machine, `balsam.localqueue`; for laptops, workstations and tests."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from balsam.lib.commands import Answer, Command
from balsam.platform.scheduler.contract import (
    Allocation,
    BackfillWindow,
    Cancellation,
    History,
    Listing,
    PastBatchJob,
    QueuedBatchJob,
    Submission,
    SubmitRequest,
)
from balsam.states import BatchJobEnd, BatchJobState

__all__ = ["Local"]

_STATES = {"queued": BatchJobState.QUEUED, "running": BatchJobState.RUNNING}


class Local:
    """``python -m balsam.localqueue COMMAND``: every command answers with lines of JSON."""

    name = "local"
    #: Needs no command but Python itself, which is here.
    probe = sys.executable
    keeps_history = True
    lists_names = True

    def submit_command(self, request: SubmitRequest) -> Command:
        """Return the command; the local queue takes no flags of the user's."""
        return self._command(
            "submit", f"--name={request.name}", f"--project={request.project}", f"--queue={request.queue}",
            f"--num-nodes={request.num_nodes}", f"--wall-time-min={request.wall_time_min}",
            f"--cwd={request.cwd}", f"--output={request.output}", *request.extra_flags, "--",
            str(request.script),
        )  # fmt: skip

    def parse_submit(self, answer: Answer) -> Submission:
        """Read the number; every error of the local queue comes before the batch job is taken."""
        text = answer.stdout.strip()
        if text.isdecimal() and answer.stdout.endswith("\n"):
            return Submission(scheduler_id=text)
        certain = not answer.started or "refused: " in answer.stderr or "usage: " in answer.stderr
        return Submission(refused=answer.words) if certain else Submission()

    def status_command(self, user: str) -> Command:
        """Return the command."""
        return self._command("status")

    def parse_status(self, answer: Answer, user: str = "") -> Listing:
        """Read the listing."""
        rows, problem = _rows(answer)
        jobs = {}
        for row in rows:
            job = _queued(row)
            jobs[job.scheduler_id] = job
        return Listing(jobs=jobs, is_complete=not problem, problem=problem)

    def history_command(
        self, scheduler_ids: Sequence[str], since: datetime, name: str = "", user: str = ""
    ) -> Command:
        """Return the command."""
        return self._command(
            "history", f"--since={since.timestamp()}", f"--name={name}", "--", *scheduler_ids
        )

    def parse_history(self, answer: Answer) -> History:
        """Read the account."""
        rows, problem = _rows(answer)
        jobs = {}
        for row in rows:
            job = _past(row)
            jobs[job.scheduler_id] = job
        return History(jobs=jobs, is_complete=not problem, problem=problem)

    def cancel_command(self, scheduler_id: str) -> Command:
        """Return the command."""
        return self._command("cancel", "--", scheduler_id)

    def parse_cancel(self, answer: Answer) -> Cancellation:
        """Read the answer."""
        if answer.is_ok:
            return Cancellation.ACCEPTED
        return Cancellation.GONE if "no such batch job" in answer.stderr else Cancellation.UNKNOWN

    def backfill_command(self) -> Command:
        """Return the command."""
        return self._command("free")

    def parse_backfill(self, answer: Answer) -> dict[str, list[BackfillWindow]]:
        """Return a window of a day in the queue ``local`` while slots are free."""
        text = answer.stdout.strip()
        free = int(text) if answer.is_ok and text.isdecimal() else 0
        return {"local": [BackfillWindow(free, 24 * 60)]} if free else {}

    def projects_command(self, user: str) -> None:
        """Return None: any project will do."""

    def parse_projects(self, answer: Answer) -> list[str]:
        """Return nothing: there is no such command."""
        return []

    def allocation(self, environ: Mapping[str, str]) -> Allocation | None:
        """Read the number that the keeper has set."""
        found = environ.get("BALSAM_LOCALQUEUE_JOBID", "")
        return Allocation(scheduler=self.name, scheduler_id=found) if found else None

    def time_left_command(self, scheduler_id: str) -> Command:
        """Return the command."""
        return self._command("time-left", "--", scheduler_id)

    def parse_time_left(self, answer: Answer) -> float | None:
        """Read seconds."""
        try:
            return max(0.0, float(answer.stdout)) / 60 if answer.is_ok else None
        except ValueError:
            return None

    def _command(self, *words: str) -> Command:
        return Command([sys.executable, "-P", "-m", "balsam.localqueue", *words])


def _rows(answer: Answer) -> tuple[list[dict[str, Any]], str]:
    """Return the rows that can be read, and what is wrong with the answer, or ''."""
    if not answer.is_ok:
        return [], answer.words
    rows = list(_objects(answer.stdout))
    if not rows or rows[-1].get("count") != len(rows) - 1 or not answer.stdout.endswith("\n"):
        return [], f"the answer is cut short or garbled: {answer.stdout[-200:]!r}"
    try:
        for row in rows[:-1]:
            _queued(row), _past(row)
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        return [], f"the answer holds a row that cannot be read: {error!r}"
    return rows[:-1], ""


def _objects(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def _queued(row: Mapping[str, Any]) -> QueuedBatchJob:
    return QueuedBatchJob(
        scheduler_id=str(row["id"]),
        state=_STATES.get(row["state"], BatchJobState.UNKNOWN),
        native_state=str(row["state"]),
        name=str(row["name"]),
        queue=str(row["queue"]),
        project=str(row["project"]),
        num_nodes=int(row["num_nodes"]),
        wall_time_min=int(row["wall_time_min"]),
        command=str(row["script"]),
        reason=str(row["reason"]),
    )


def _past(row: Mapping[str, Any]) -> PastBatchJob:
    return PastBatchJob(
        scheduler_id=str(row["id"]),
        name=str(row["name"]),
        native_state=str(row["state"]),
        end=BatchJobEnd(row["end"]) if row["end"] else None,
        reason=str(row["reason"]),
        submitted_at=_time(row["submitted"]),
        started_at=_time(row["started"]),
        ended_at=_time(row["ended"]),
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(float(seconds), UTC)

"""What launchers and processing components report of jobs they hold.

A report is applied only to a job that its session still holds, at the attempt it is of (fencing), and only
along the table of transitions. Repeating a report whose reply was lost changes nothing.
"""

import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise

from django.db import transaction

from balsam.core import sql
from balsam.core.models.event import JobEvent
from balsam.core.retrying import retrying
from balsam.core.transitions.batch import Batch, Row
from balsam.core.transitions.parents import resolve
from balsam.schemas.jobs import JobReport, StepResult
from balsam.schemas.sessions import ReportReply
from balsam.states import END_STATES, RUNNABLE_STATES, may_follow
from balsam.states import JobState as S

_LATE = "late_result"
_TO_BE_RUN = (*RUNNABLE_STATES, S.RUNNING)
#: Where a job is that has run, and for which something is to be done still.
_AFTER_RUN = (S.RUN_DONE, S.POSTPROCESSED)


@dataclass(slots=True)
class _Outcome:
    """What has become of the items of a request so far."""

    batch: Batch
    late: list[str] = field(default_factory=list)
    #: Applied reports of jobs whose Python methods have ended.
    results: list[JobReport] = field(default_factory=list)

    def reply(self, count: int) -> ReportReply:
        """Write the batch, let children go on, and say what happened."""
        if self.results:
            sql.run(
                "store_results",
                ids=[item.job_id for item in self.results],
                values=[item.value or "" for item in self.results],
                exceptions=[item.exception or "" for item in self.results],
            )
        ended = self.batch.write()
        return ReportReply(
            applied=count - len(self.late),
            late=tuple(self.late),
            finished=sum(row.state is S.JOB_FINISHED for row in ended),
            failed=sum(row.state is S.FAILED for row in ended),
            released=resolve(ended),
            run=sum(row.stored in _TO_BE_RUN and row.state in _AFTER_RUN for row in self.batch.rows.values()),
        )


@retrying
def report(session_id: int, reports: Sequence[JobReport]) -> ReportReply:
    """Apply what a launcher reports of jobs it holds.

    A report that comes too late (the job was killed, deleted, reset or taken over) changes nothing but is
    recorded in the job's history; one that was applied already is taken as applied. One bad item does not
    keep the others from being applied.
    """
    with transaction.atomic():
        outcome = _Outcome(Batch.lock(_known(item.job_id for item in reports), session_id=session_id))
        unapplied: list[tuple[Row, JobReport]] = []
        for item in reports:
            row = outcome.batch.find(item.job_id)
            if row is None:
                outcome.late.append(item.job_id)
            elif _is_current(row, session_id, item):
                _apply(outcome.batch, row, item)
                if item.value is not None or item.exception is not None:
                    outcome.results.append(item)
            else:
                unapplied.append((row, item))
        if unapplied:
            _sort_out(outcome, session_id, unapplied)
        return outcome.reply(len(reports))


def _known(job_ids: Iterable[str]) -> Iterable[uuid.UUID]:
    for job_id in job_ids:
        with suppress(ValueError):
            yield uuid.UUID(job_id)


def _is_current(row: Row, session_id: int, item: JobReport) -> bool:
    """Say whether the session still holds the job at the attempt the report is of, and it may go that way.

    A start is counted when it is reported, so a claimed job that is not RUNNING is one attempt behind.
    """
    expected = item.attempt if row.state is S.RUNNING else item.attempt - 1
    path = [row.state, *(step.state for step in item.steps)]
    return (
        row.held_by == session_id
        and row.attempt == expected
        and all(may_follow(before, after) for before, after in pairwise(path))
    )


def _apply(batch: Batch, row: Row, item: JobReport) -> None:
    if not item.steps:
        if row.state is S.RUNNING:
            batch.enter(row, S.RESTART_READY, item.message, cause="given_back")
        else:
            _free(batch, row, item.message)
        return
    row.attempt = item.attempt
    for step in item.steps:
        _count(row, step.state)
        batch.enter(row, step.state, step.message, age_sec=step.age_sec)
        if step.state is S.RUNNING:
            row.session_id = row.held_by
    row.return_code = item.return_code
    batch.settle(row)


def _free(batch: Batch, row: Row, message: str) -> None:
    batch.free(row)
    if message:
        batch.note(row, message, cause="given_back")


def _count(row: Row, state: S) -> None:
    if state is S.RUN_TIMEOUT:
        row.facts = replace(row.facts, timeouts=row.facts.timeouts + 1)
    elif state is S.RUN_ERROR:
        row.facts = replace(row.facts, errors=row.facts.errors + 1)


def _sort_out(outcome: _Outcome, session_id: int, items: Sequence[tuple[Row, JobReport]]) -> None:
    """Tell reports that were applied before from those that come too late, and record the latter once."""
    ids = [row.job_id for row, _ in items]
    known = JobEvent.objects.filter(job_id__in=ids, session_id=session_id)
    recorded = set(known.exclude(cause=_LATE).values_list("job_id", "attempt", "to_state"))
    refused = set(known.filter(cause=_LATE).values_list("job_id", "message"))
    for row, item in items:
        if not item.steps:
            continue  # it was to be given back, and is not held any more
        last = item.steps[-1].state
        was_applied = (row.job_id, item.attempt, last.value) in recorded
        if not was_applied or (last is S.RUNNING and row.held_by != session_id):
            outcome.late.append(item.job_id)
        text = _late_text(item)
        if not was_applied and (row.job_id, text) not in refused:
            outcome.batch.note(row, text, cause=_LATE)


def _late_text(item: JobReport) -> str:
    steps = ", ".join(step.state.value for step in item.steps)
    return f"Refused a late report of attempt {item.attempt}: {steps}"


@retrying
def report_steps(session_id: int, results: Sequence[StepResult]) -> ReportReply:
    """Apply what a processing component did; a hook that moved its own job keeps the state it chose."""
    with transaction.atomic():
        outcome = _Outcome(Batch.lock(_known(item.job_id for item in results), session_id=session_id))
        ended: list[Row] = []
        for item in results:
            row = outcome.batch.find(item.job_id)
            if row is not None and row.state in END_STATES:
                ended.append(row)
            if row is None or row.held_by != session_id or not _apply_step(outcome.batch, row, item):
                outcome.late.append(item.job_id)
        return _with_ends(outcome.reply(len(results)), ended)


def _apply_step(batch: Batch, row: Row, item: StepResult) -> bool:
    """Plan what a step leads to, for a job that is held; False when that is refused."""
    if row.hook_moved:
        batch.free(row)
    elif row.state is not item.from_state:
        return False
    elif item.to_state is row.state:
        _free(batch, row, item.message)
    elif may_follow(row.state, item.to_state):
        batch.enter(row, item.to_state, item.message)
        batch.settle(row)
    else:
        return False
    return True


def _with_ends(reply: ReportReply, ended: Sequence[Row]) -> ReportReply:
    """Count the jobs, too, that were ended while their step was under way, as by their own hooks."""
    return replace(
        reply,
        finished=reply.finished + sum(row.state is S.JOB_FINISHED for row in ended),
        failed=reply.failed + sum(row.state is S.FAILED for row in ended),
    )

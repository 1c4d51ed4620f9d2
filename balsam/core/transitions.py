"""The only writer of job states.

Every function locks the jobs it moves, checks that each may be moved, and writes state and history in one statement.
A session's report is applied only to jobs which that session still holds, at the attempt it started (fencing).
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from django.db import transaction

from balsam.core import notices, sql
from balsam.core.models.event import JobEvent
from balsam.core.moves import Batch, Row
from balsam.core.retrying import retrying
from balsam.exceptions import InvalidStateError, NotFoundError
from balsam.schemas.jobs import JobReport, StepResult
from balsam.schemas.sessions import ReportReply
from balsam.states import END_STATES, STATES
from balsam.states import JobState as S

if TYPE_CHECKING:
    from balsam.core.models import BalsamJob

_SETTLED_AFTER_RESET = frozenset(
    (S.CREATED, S.AWAITING_PARENTS, S.READY, S.STAGED_IN, S.RUN_DONE, S.POSTPROCESSED, S.RUN_ERROR, S.RUN_TIMEOUT)
)


# -- what a launcher and a processing component report ------------------------------------------------


@retrying
def report(session_id: int, reports: Sequence[JobReport]) -> ReportReply:
    """Apply what a launcher reports of jobs it holds.

    A report that comes too late (the job was killed, deleted, reset or taken over) changes nothing but is
    recorded in the job's history; one that was applied already is taken as applied.
    """
    late: list[str] = []
    with transaction.atomic():
        batch = Batch.lock(uuid.UUID(item.job_id) for item in reports)
        for item in reports:
            row = batch.rows.get(uuid.UUID(item.job_id))
            if row is None:
                late.append(item.job_id)
            elif _is_current(row, session_id, item):
                _apply(batch, row, item)
            elif not _is_applied(row, session_id, item):
                late.append(item.job_id)
                if item.steps:
                    batch.note(row, _late_text(item), cause="late_result")
        ended = batch.write()
        released = resolve(ended)
    return ReportReply(
        applied=len(reports) - len(late),
        late=tuple(late),
        finished=sum(row.state is S.JOB_FINISHED for row in ended),
        failed=sum(row.state is S.FAILED for row in ended),
        released=released,
    )


def _is_current(row: Row, session_id: int, item: JobReport) -> bool:
    """Say whether the session still holds the job at the attempt the report is of.

    A start is counted when it is reported, so a claimed job that is not RUNNING is one attempt behind.
    """
    expected = item.attempt if row.state is S.RUNNING else item.attempt - 1
    return row.held_by == session_id and row.attempt == expected


def _is_applied(row: Row, session_id: int, item: JobReport) -> bool:
    """Say whether this very report has been applied before (its reply was lost)."""
    if not item.steps or row.attempt != item.attempt:
        return not item.steps and row.held_by != session_id
    last = item.steps[-1].state
    if last is S.RUNNING:
        return row.held_by == session_id and row.state is S.RUNNING
    events = JobEvent.objects.filter(job_id=row.job_id, attempt=item.attempt, to_state=last.value)
    return row.held_by != session_id and events.exists()


def _late_text(item: JobReport) -> str:
    steps = ", ".join(step.state.value for step in item.steps)
    return f"Refused a late report of attempt {item.attempt}: {steps}"


def _apply(batch: Batch, row: Row, item: JobReport) -> None:
    if not item.steps:
        if row.state is S.RUNNING:
            batch.enter(row, S.RESTART_READY, item.message, cause="given_back")
        else:
            batch.free(row)
            if item.message:
                batch.note(row, item.message, cause="given_back")
        return
    for step in item.steps:
        if step.state is S.RUNNING:
            row.attempt = item.attempt
        _count(row, step.state)
        batch.enter(row, step.state, step.message, age_sec=step.age_sec)
        if step.state is S.RUNNING:
            row.session_id = row.held_by
    row.return_code = item.return_code
    batch.settle(row)


def _count(row: Row, state: S) -> None:
    if state is S.RUN_TIMEOUT:
        row.facts = replace(row.facts, timeouts=row.facts.timeouts + 1)
    elif state is S.RUN_ERROR:
        row.facts = replace(row.facts, errors=row.facts.errors + 1)


@retrying
def report_steps(session_id: int, results: Sequence[StepResult]) -> ReportReply:
    """Apply what a processing component did; a hook that moved its own job keeps the state it chose."""
    late: list[str] = []
    with transaction.atomic():
        batch = Batch.lock(uuid.UUID(item.job_id) for item in results)
        for item in results:
            row = batch.rows.get(uuid.UUID(item.job_id))
            if row is None or row.held_by != session_id or row.state is not item.from_state:
                late.append(item.job_id)
            else:
                batch.enter(row, item.to_state, item.message)
                batch.settle(row)
        ended = batch.write()
        released = resolve(ended)
    return ReportReply(
        applied=len(results) - len(late),
        late=tuple(late),
        finished=sum(row.state is S.JOB_FINISHED for row in ended),
        failed=sum(row.state is S.FAILED for row in ended),
        released=released,
    )


# -- what users ask for -------------------------------------------------------------------------------


@retrying
def set_state(
    ids: Iterable[uuid.UUID | str], state: str, message: str = "", *, strict: bool = False
) -> list[uuid.UUID]:
    """Move jobs to a state because a user says so; return those that were moved.

    Jobs that may not be moved (killed ones; ended ones to another end state) are skipped, or with ``strict``
    raise InvalidStateError; a missing one then raises NotFoundError. Being there already is no move.
    """
    target = user_state(state)
    wanted = [uuid.UUID(str(job_id)) for job_id in ids]
    with transaction.atomic():
        _lock_parents(wanted)
        batch = Batch.lock(wanted)
        if strict and len(batch.rows) < len(set(wanted)):
            raise NotFoundError("The job is no longer in the database; somebody has deleted it.")
        moved = [row for row in batch.rows.values() if _may_set(row, target, strict)]
        reopened = [row.job_id for row in moved if row.stored is S.JOB_FINISHED]
        _move_by_user(batch, moved, target, message)
        resolve(batch.write())
        if reopened:
            re_evaluate(child_id for child_id, _, _ in sql.fetch("waiting_children", ids=_texts(reopened)))
    return [row.job_id for row in moved]


def user_state(state: str) -> S:
    """Return the state a user may ask for by this name; raises InvalidStateError for others."""
    if state not in STATES:
        raise InvalidStateError(f"{state!r} is no job state. The states are: {', '.join(STATES)}.")
    if state == S.RUNNING:
        raise InvalidStateError("Only a launcher sets RUNNING. Set RESTART_READY to have a job run again.")
    return S(state)


def _may_set(row: Row, target: S, strict: bool) -> bool:
    if row.state is target:
        return False
    is_refused = row.state is S.USER_KILLED or (row.state in END_STATES and target in END_STATES)
    if is_refused and strict:
        raise InvalidStateError(
            f"Job {row.cute_id} is {row.state.value} and cannot become {target.value}. "
            + ("Clone it to run it again." if row.state is S.USER_KILLED else "Set CREATED to start it over.")
        )
    return not is_refused


def _move_by_user(batch: Batch, rows: list[Row], target: S, message: str) -> None:
    parents = _parent_counts(row.job_id for row in rows) if target in (S.CREATED, S.AWAITING_PARENTS) else {}
    for row in rows:
        if target is S.CREATED:
            row.facts = replace(row.facts, timeouts=0, errors=0)
        batch.enter(row, target, message)
        if target in (S.CREATED, S.AWAITING_PARENTS):
            batch.add_parents(row, *parents.get(row.job_id, (0, 0)))
        if target in _SETTLED_AFTER_RESET:
            batch.settle(row)


@retrying
def compare_and_set(job: "BalsamJob", expected: S, new: str) -> None:
    """Move a job from the state it was read in; raises InvalidStateError when it has moved on since."""
    with transaction.atomic():
        row = Batch.lock([job.job_id]).rows.get(job.job_id)
        if row is not None and row.state is not expected:
            raise InvalidStateError(
                f"Job {job.cute_id} was read as {expected.value} and is {row.state.value} now; it was not set to {new}. "
                "Call refresh_from_db() and look again, or use update_state()."
            )
        set_state([job.job_id], new, strict=True)
    job.refresh_from_db(fields=["state", "session", "lock"])


# -- dependencies -------------------------------------------------------------------------------------


def resolve(ended: Sequence[Row]) -> int:
    """Let children of jobs that have just ended go on, or fail, by their policy; return how many went on.

    Runs in the transaction that ended the parents; a failure goes down the graph level by level, each with a
    fresh view, so a child added meanwhile is not missed.
    """
    released = 0
    while ended:
        by_id = {row.job_id: row for row in ended}
        failed = [row.job_id for row in ended if row.state is not S.JOB_FINISHED]
        finished = [row.job_id for row in ended if row.state is S.JOB_FINISHED]
        decrements = {_as_uuid(c): n for c, n, _ in sql.fetch("waiting_children", ids=_texts(finished))}
        causes = {_as_uuid(c): by_id[_as_uuid(p)] for c, _, p in sql.fetch("waiting_children", ids=_texts(failed))}
        if not decrements and not causes:
            return released
        batch = Batch.lock({*decrements, *causes})
        counts = _parent_counts(causes)
        for row in batch.rows.values():
            if row.state is S.AWAITING_PARENTS:
                _resolve_child(batch, row, decrements.get(row.job_id, 0), causes.get(row.job_id), counts)
        released += sum(row.is_changed and row.state not in (S.AWAITING_PARENTS, S.FAILED) for row in batch.rows.values())
        ended = batch.write()
    return released


def _resolve_child(
    batch: Batch, row: Row, decrement: int, failed_parent: Row | None, counts: dict[uuid.UUID, tuple[int, int]]
) -> None:
    if failed_parent is None:
        left = row.facts.pending_parents - decrement
        batch.add_parents(row, left, 0)
    else:
        batch.add_parents(row, *counts.get(row.job_id, (0, 0)))
        word = f"Parent {failed_parent.cute_id} is {failed_parent.state.value}"
        if row.facts.failed_parents:
            batch.enter(row, S.FAILED, word, cause="parent_failed")
            return
        if row.on_parent_failure == "hold":
            batch.note(row, f"{word}; held, since on_parent_failure is hold", cause="parent_failed")
    batch.settle(row)


@retrying
def re_evaluate(child_ids: Iterable[uuid.UUID]) -> None:
    """Count the parents of these jobs anew, after edges have come or gone, and move them accordingly.

    A job that has not started yet goes back to AWAITING_PARENTS; one that has is left alone.
    """
    wanted = [_as_uuid(child) for child in child_ids]
    with transaction.atomic():
        _lock_parents(wanted)
        batch = Batch.lock(wanted)
        counts = _parent_counts(wanted)
        for row in batch.rows.values():
            batch.add_parents(row, *counts.get(row.job_id, (0, 0)))
            is_unstarted = row.attempt == 0 and row.held_by is None
            if row.state in (S.READY, S.STAGED_IN, S.PREPROCESSED) and is_unstarted and _waits(row):
                batch.enter(row, S.AWAITING_PARENTS)
            batch.settle(row)
        resolve(batch.write())


def _waits(row: Row) -> bool:
    return row.facts.wait_for_parents and row.facts.pending_parents > 0


def _lock_parents(child_ids: Sequence[uuid.UUID]) -> None:
    """Keep the parents of these jobs from ending until this transaction does."""
    sql.run("lock_parents", ids=_texts(child_ids))


def _parent_counts(child_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int]]:
    """Child -> (unfinished parents, parents among these that have failed)."""
    ids = _texts(child_ids)
    return {_as_uuid(c): (p, f) for c, p, f in sql.fetch("count_parents", ids=ids)} if ids else {}


def delete(ids: Sequence[uuid.UUID]) -> int:
    """Delete jobs, their edges and their history in the caller's transaction; return how many jobs.

    Waiting children fail with the reason, or go on, by their policy; a launcher that runs one is told.
    """
    batch = Batch.lock(ids)
    children = {_as_uuid(c): _as_uuid(p) for c, _, p in sql.fetch("waiting_children", ids=_texts(batch.rows))}
    for lost in {row.held_by for row in batch.rows.values() if row.held_by is not None}:
        notices.notify(f"{notices.LOST} {lost}")
    sql.run("delete_jobs", ids=_texts(batch.rows))
    orphans = Batch.lock(child for child in children if child not in batch.rows)
    counts = _parent_counts(orphans.rows)
    for row in orphans.rows.values():
        parent = batch.rows[children[row.job_id]]
        orphans.add_parents(row, *counts.get(row.job_id, (0, 0)))
        if row.on_parent_failure == "fail":
            orphans.enter(row, S.FAILED, f"Parent {parent.cute_id} was deleted", cause="parent_deleted")
        elif row.on_parent_failure == "ignore":
            orphans.settle(row)
        else:
            orphans.note(row, f"Parent {parent.cute_id} was deleted; held, since on_parent_failure is hold")
    resolve(orphans.write())
    return len(batch.rows)


# -- recovery -----------------------------------------------------------------------------------------


def recover(session_id: int, reason: str, *, keep: Iterable[str] = ()) -> int:
    """Free the jobs a session holds, but those in ``keep``; started ones go to RESTART_READY with the reason.

    Returns how many were freed. Runs in the caller's transaction.
    """
    kept = {uuid.UUID(job_id) for job_id in keep}
    held = [job_id for (job_id,) in sql.fetch("held_jobs", session_id=session_id)]
    batch = Batch.lock(job_id for job_id in map(_as_uuid, held) if job_id not in kept)
    for row in batch.rows.values():
        if row.held_by != session_id:
            continue
        if row.state is S.RUNNING:
            batch.enter(row, S.RESTART_READY, reason, cause="lost_owner")
        else:
            batch.free(row)
    batch.write()
    return len(batch.rows)


@retrying
def require_preprocess(application: str) -> None:
    """Send jobs of an application that has got a preprocess hook, and have not started yet, through it."""
    with transaction.atomic():
        batch = Batch.lock(_as_uuid(job_id) for (job_id,) in sql.fetch("unstarted_jobs", application=application))
        for row in batch.rows.values():
            if row.state is S.PREPROCESSED and row.held_by is None:
                batch.enter(row, S.STAGED_IN, "The application has got a preprocess hook")
        batch.write()


def _texts(ids: Iterable[uuid.UUID]) -> list[str]:
    return [str(job_id) for job_id in ids]


def _as_uuid(value: object) -> uuid.UUID:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))

"""What users ask for: that jobs enter a state."""

import os
import uuid
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from django.db import transaction

from balsam.core import sql
from balsam.core.retrying import retrying
from balsam.core.transitions.batch import Batch, Row
from balsam.core.transitions.family_lock import lock_families
from balsam.core.transitions.parents import count_parents, follow_parents, lock_parents, resolve
from balsam.exceptions import InvalidStateError, NotFoundError
from balsam.states import END_STATES, HOOK_STATES, PROCESSABLE_STATES, STATES
from balsam.states import JobState as S

if TYPE_CHECKING:
    from balsam.core.models import BalsamJob

#: A user who asks for one of these asks for what follows too.
_SETTLED_AFTER_RESET = PROCESSABLE_STATES
_STARTS_OVER = (S.CREATED, S.AWAITING_PARENTS)


@retrying
def set_state(
    ids: Iterable[uuid.UUID | str], state: str, message: str = "", *, strict: bool = False
) -> list[uuid.UUID]:
    """Move jobs to a state because a user says so; return those that were moved.

    Jobs that may not be moved (killed ones; ended ones to another end state) are skipped, or with ``strict``
    raise InvalidStateError; a missing one then raises NotFoundError. Being there already is no move, but the
    message is kept.
    """
    target = user_state(state)
    wanted = [uuid.UUID(str(job_id)) for job_id in ids]
    with transaction.atomic():
        lock_families()
        if target in _STARTS_OVER:
            lock_parents(wanted)
        batch = Batch.lock(wanted)
        if strict and len(batch.rows) < len(set(wanted)):
            raise NotFoundError("The job is no longer in the database; somebody has deleted it.")
        moved = [row for row in batch.rows.values() if _may_set(row, target, strict)]
        _keep_message(batch, target, message)
        reopened = [row.job_id for row in moved if row.stored in END_STATES and target not in END_STATES]
        _move(batch, moved, target, message)
        resolve(batch.write())
        if reopened:
            children = sql.fetch("unstarted_children", ids=list(map(str, reopened)))
            follow_parents(child_id for (child_id,) in children)
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


def _keep_message(batch: Batch, target: S, message: str) -> None:
    """Note what is said of jobs that are in the state already; of killed ones enough has been said."""
    for row in batch.rows.values():
        if message and row.state is target is not S.USER_KILLED:
            batch.note(row, message)


def _move(batch: Batch, rows: list[Row], target: S, message: str) -> None:
    parents = count_parents(row.job_id for row in rows) if target in _STARTS_OVER else {}
    for row in rows:
        row.hook_moved = _is_moved_by_its_hook(row)
        if target is S.CREATED:
            row.facts = replace(row.facts, timeouts=0, errors=0)
        batch.enter(row, target, message, cause="user")
        if target in _STARTS_OVER:
            batch.add_parents(row, *parents.get(row.job_id, (0, 0)))
        if target in _SETTLED_AFTER_RESET:
            batch.settle(row)


def _is_moved_by_its_hook(row: Row) -> bool:
    """Say whether this process is a hook of the held job: only when that has ended, the job may go on."""
    is_in_hook = row.held_by is not None and (row.hook_moved or row.state in HOOK_STATES)
    return is_in_hook and os.environ.get("BALSAM_JOB_ID") == str(row.job_id)


@retrying
def compare_and_set(job: "BalsamJob", expected: S, new: str) -> None:
    """Move a job from the state it was read in; raises InvalidStateError when it has moved on since."""
    with transaction.atomic():
        lock_families()
        row = Batch.lock([job.job_id]).rows.get(job.job_id)
        if row is not None and row.state not in (expected, new):
            raise InvalidStateError(
                f"Job {job.cute_id} was read as {expected.value} and is {row.state.value} now; "
                f"it was not set to {new}. Call refresh_from_db() and look again, or use update_state()."
            )
        set_state([job.job_id], new, strict=True)


@retrying
def annotate(job_id: uuid.UUID, message: str) -> None:
    """Write a message into a job's history; its state stays."""
    with transaction.atomic():
        batch = Batch.lock([job_id])
        for row in batch.rows.values():
            batch.note(row, message)
        batch.write()

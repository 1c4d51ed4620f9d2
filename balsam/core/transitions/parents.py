"""What the end, the change or the loss of a parent does to its children.

A job that waits carries the number of parents it waits for. Whoever makes a job wait, or takes an edge away,
first locks the parents concerned, so that none ends unnoticed; whoever ends a parent counts its waiting
children down in the same transaction.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db import transaction

from balsam.core import sql
from balsam.core.retrying import retrying
from balsam.core.transitions import late_parents
from balsam.core.transitions.batch import Batch, Row
from balsam.core.transitions.family_lock import lock_families
from balsam.states import JobState as S

_WAITING = (S.CREATED, S.AWAITING_PARENTS)
_NEVER_FINISH = (S.FAILED, S.USER_KILLED)


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
        decrements = {child: count for child, count, _ in _waiting_children(finished)}
        causes = {child: by_id[parent] for child, _, parent in _waiting_children(failed)}
        if not decrements and not causes:
            return released
        batch = Batch.lock({*decrements, *causes})
        counts = count_parents(causes)
        for row in batch.rows.values():
            if row.state is S.AWAITING_PARENTS:
                _resolve_child(batch, row, decrements.get(row.job_id, 0), causes.get(row.job_id), counts)
                released += row.state not in (S.AWAITING_PARENTS, S.FAILED)
        ended = batch.write()
    return released


def _resolve_child(
    batch: Batch,
    row: Row,
    decrement: int,
    failed_parent: Row | None,
    counts: dict[uuid.UUID, tuple[int, int]],
) -> None:
    if failed_parent is None:
        batch.add_parents(row, row.facts.pending_parents - decrement, 0)
        batch.settle(row)
        return
    batch.add_parents(row, *counts.get(row.job_id, (0, 0)))
    reason = f"Parent {failed_parent.cute_id} is {failed_parent.state.value}"
    if row.facts.failed_parents:
        batch.enter(row, S.FAILED, reason, cause="parent_failed")
        return
    if row.on_parent_failure == "hold":
        batch.note(row, f"{reason}; held, since on_parent_failure is hold", cause="parent_failed")
    batch.settle(row)


def _waiting_children(parents: Sequence[uuid.UUID]) -> list[tuple[uuid.UUID, int, uuid.UUID]]:
    """(child that waits, how many of these parents it has, one of them), for each such child."""
    rows = sql.fetch("waiting_children", ids=_texts(parents)) if parents else []
    return [(_as_uuid(child), int(count), _as_uuid(parent)) for child, count, parent in rows]


# -- edges come and go ----------------------------------------------------------------------------------


@retrying
def re_evaluate(child_ids: Iterable[uuid.UUID]) -> None:
    """Count the parents of these jobs anew, after edges have come or gone, and move them accordingly.

    A job that has not started yet, or only just, goes back to AWAITING_PARENTS; others are left alone.
    """
    with transaction.atomic():
        lock_families()
        follow_parents(child_ids)


def follow_parents(child_ids: Iterable[uuid.UUID]) -> list[uuid.UUID]:
    """Do what `re_evaluate` does, in a transaction that has its turn, or for jobs that only it knows.

    Returns the jobs that cannot wait any more.
    """
    wanted = [_as_uuid(child) for child in child_ids]
    lock_parents(wanted)
    batch = Batch.lock(wanted)
    counts = count_parents(wanted)
    called_back = late_parents.can_wait(batch.rows.values())
    late = []
    for row in batch.rows.values():
        if row.state in _WAITING or _is_unstarted(row):
            batch.add_parents(row, *counts.get(row.job_id, (0, 0)))
            _follow(batch, row)
        elif row.job_id in called_back:
            batch.add_parents(row, *counts.get(row.job_id, (0, 0)))
            late_parents.call_back(batch, row)
        elif late_parents.is_too_late(row):
            late.append(row.job_id)
    resolve(batch.write())
    return late


def add_waits(parents: Mapping[uuid.UUID, Sequence[S]]) -> list[uuid.UUID]:
    """Let jobs wait for new parents: child -> the states of the parents it has got.

    Runs in the transaction that has locked these parents; costs nothing per parent that was there before.
    Returns the jobs that cannot wait any more.
    """
    batch = Batch.lock(parents)
    others = [row.job_id for row in batch.rows.values() if row.state is not S.AWAITING_PARENTS]
    for row in batch.rows.values():
        if row.state is S.AWAITING_PARENTS:
            states = parents[row.job_id]
            unfinished = sum(state is not S.JOB_FINISHED for state in states)
            failed = sum(state in _NEVER_FINISH for state in states)
            batch.add_parents(row, row.facts.pending_parents + unfinished, failed)
            _follow(batch, row)
    resolve(batch.write())
    return follow_parents(others) if others else []


def _follow(batch: Batch, row: Row) -> None:
    """Plan where a job goes whose parents have been counted."""
    if _is_unstarted(row) and row.facts.wait_for_parents and row.facts.pending_parents > 0:
        batch.enter(row, S.AWAITING_PARENTS)
    batch.settle(row)


def _is_unstarted(row: Row) -> bool:
    return row.state in late_parents.UNSTARTED and row.held_by is None


@retrying
def replan(job_ids: Iterable[uuid.UUID], columns: Collection[str]) -> None:
    """Let jobs that have not started do what changed columns ask of them, such as a new hook."""
    wanted = list(job_ids)
    with transaction.atomic():
        lock_families()
        if not {"wait_for_parents", "on_parent_failure"}.isdisjoint(columns):
            follow_parents(wanted)
        batch = Batch.lock(wanted)
        for row in batch.rows.values():
            if _is_unstarted(row):
                _go_back(batch, row, columns)
            elif row.state is S.POSTPROCESSED and row.held_by is None:
                _restage(batch, row, not {"stage_out_url", "stage_out_files"}.isdisjoint(columns))
        batch.write()


def _go_back(batch: Batch, row: Row, columns: Collection[str]) -> None:
    stages_anew = row.facts.stages_in and not {"stage_in_url", "input_files"}.isdisjoint(columns)
    needs_hook = "application" in columns and (row.facts.has_preprocess or not row.facts.app_known)
    if stages_anew and row.state is not S.READY:
        batch.enter(row, S.READY, "What is to be staged in was changed")
    elif row.state is S.READY:
        _restage(batch, row, "stage_in_url" in columns)
    elif needs_hook and row.state is S.PREPROCESSED:
        batch.enter(row, S.STAGED_IN, "The application was changed")
    batch.settle(row)


def _restage(batch: Batch, row: Row, is_changed: bool) -> None:
    if is_changed:
        batch.restage(row)
    batch.settle(row)


# -- locks and counts -------------------------------------------------------------------------------------


def lock_parents(child_ids: Sequence[uuid.UUID]) -> None:
    """Keep the parents of these jobs from ending until this transaction does."""
    sql.run("lock_parents", ids=_texts(child_ids))


def lock_against_end(job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, S]:
    """Keep these jobs from ending or going away until this transaction does; return their states, by id."""
    return {
        _as_uuid(job_id): S(state) for job_id, state in sql.fetch("lock_against_end", ids=_texts(job_ids))
    }


def count_parents(child_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int]]:
    """Child -> (unfinished parents, parents among these that have failed)."""
    ids = _texts(child_ids)
    return {_as_uuid(c): (p, f) for c, p, f in sql.fetch("count_parents", ids=ids)} if ids else {}


# -- parents are deleted ----------------------------------------------------------------------------------


@retrying
def delete(ids: Sequence[uuid.UUID]) -> int:
    """Delete jobs, their edges and their history; return how many jobs.

    Children that wait for one that had not finished fail with the reason, go on or are held, by their policy;
    a launcher that runs one is told.
    """
    with transaction.atomic():
        lock_families()
        batch = Batch.lock(ids)
        unfinished = [row.job_id for row in batch.rows.values() if row.state is not S.JOB_FINISHED]
        parent_of = {child: parent for child, _, parent in _waiting_children(unfinished)}
        sql.run("delete_jobs", ids=_texts(batch.rows))
        batch.tell_gone()
        orphans = Batch.lock(child for child in parent_of if child not in batch.rows)
        counts = count_parents(orphans.rows)
        for row in orphans.rows.values():
            _orphan(orphans, row, batch.rows[parent_of[row.job_id]], counts.get(row.job_id, (0, 0)))
        resolve(orphans.write())
        return len(batch.rows)


def _orphan(batch: Batch, row: Row, parent: Row, counts: tuple[int, int]) -> None:
    reason = f"Parent {parent.cute_id} was deleted"
    if row.on_parent_failure == "fail":
        batch.add_parents(row, *counts)
        batch.enter(row, S.FAILED, reason, cause="parent_deleted")
    elif row.on_parent_failure == "ignore":
        batch.add_parents(row, *counts)
        batch.settle(row)
    else:  # the count stays, so nothing releases the job until somebody gives it other parents
        batch.note(row, f"{reason}; held, since on_parent_failure is hold", cause="parent_deleted")


def _texts(ids: Iterable[uuid.UUID]) -> list[str]:
    return [str(job_id) for job_id in ids]


def _as_uuid(value: object) -> uuid.UUID:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))

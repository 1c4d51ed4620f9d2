"""What became of transfers, and the jobs that wait for them.

A job is in READY, or in POSTPROCESSED, until each of its transfers in that direction is done: the transaction
that records the last one moves the job on, and one that is given up fails it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from balsam.core import notices, sql
from balsam.core.models.session import Session
from balsam.core.models.transfer import TransferItem
from balsam.core.retrying import retrying
from balsam.core.transitions.batch import Batch, Row
from balsam.core.transitions.family_lock import lock_families
from balsam.core.transitions.parents import resolve
from balsam.exceptions import RefusedError
from balsam.schemas.sessions import ReportReply
from balsam.schemas.transfers import TransferResult
from balsam.states import JobState as S
from balsam.states import TransferState as T

__all__ = ["change_transfer", "free_transfers", "report_transfers"]

#: Direction -> the state in which a job waits for its transfers, and the one that follows.
_STAGES = {"in": (S.READY, S.STAGED_IN), "out": (S.POSTPROCESSED, S.JOB_FINISHED)}


@dataclass(frozen=True, slots=True)
class _Left:
    """The transfers of a job in one direction."""

    count: int
    not_done: int
    size_bytes: int
    #: What is said of one that was given up; None: none was.
    error: str | None


@retrying
def report_transfers(session_id: int, results: Sequence[TransferResult]) -> ReportReply:
    """Record what became of transfers that a session holds; ``late`` are the ids of those it does not."""
    ids = [result.item_id for result in results]
    ended = [result.item_id for result in results if result.state != T.ACTIVE]
    with transaction.atomic():
        jobs = sql.fetch("jobs_of_transfers", session_id=session_id, ids=ended)
        batch = Batch.lock([job_id for (job_id,) in jobs], session_id=session_id)
        recorded = {item_id for (item_id,) in sql.fetch("report_transfers", **_columns(session_id, results))}
        if any(result.state == T.PENDING for result in results):
            batch.tell(notices.TRANSFERS)  # handed back
        _advance(batch)
        moved = batch.write()
        return ReportReply(
            applied=len(recorded),
            late=tuple(str(item_id) for item_id in ids if item_id not in recorded),
            finished=sum(row.state is S.JOB_FINISHED for row in moved),
            failed=sum(row.state is S.FAILED for row in moved),
            released=resolve(moved),
        )


def _columns(session_id: int, results: Sequence[TransferResult]) -> dict[str, object]:
    return {
        "session_id": session_id,
        "ids": [result.item_id for result in results],
        "attempts": [result.attempt for result in results],
        "states": [T(result.state).value for result in results],
        "messages": [_storable(result.message) for result in results],
        "retries": [result.retry_sec for result in results],
        "failures": [result.is_failure for result in results],
        "sizes": [result.size_bytes for result in results],
        "totals": [result.total_bytes for result in results],
        "took": [round(result.took_sec, 3) for result in results],
        "tasks": [_storable(result.task_id) for result in results],
        "needs_you": [result.needs_you for result in results],
    }


def _storable(text: str) -> str:
    return text[:4_000].replace("\0", "\\0").encode(errors="backslashreplace").decode()


def _advance(batch: Batch) -> None:
    """Plan where the locked jobs go whose transfers are all done, or one of which was given up."""
    left = {
        (row[0], row[1]): _Left(*row[2:])
        for row in sql.fetch("transfers_left", ids=[str(job_id) for job_id in batch.rows])
    }
    for row in batch.rows.values():
        for direction, (waits_in, _) in _STAGES.items():
            found = left.get((row.job_id, direction))
            if found is not None and row.state is waits_in and row.held_by is None:
                _advance_job(batch, row, direction, found)


def _advance_job(batch: Batch, row: Row, direction: str, left: _Left) -> None:
    follows = _STAGES[direction][1]
    row.is_staged = not left.not_done
    if left.error is not None:
        batch.enter(row, S.FAILED, left.error, cause="transfer_failed")
    elif not left.not_done and row.facts.links_parents and direction == "in":
        notices.notify([(notices.WORK, row.site_id)])  # a step: links come after what was brought in
    elif not left.not_done and (row.facts.app_known or direction == "out"):
        batch.enter(row, follows, _said(direction, left))
        batch.settle(row)
    elif not left.not_done:
        notices.notify([(notices.WORK, row.site_id)])  # a step says what is wrong with the application


def _said(direction: str, left: _Left) -> str:
    if not left.size_bytes:
        return ""
    things = "1 transfer" if left.count == 1 else f"{left.count} transfers"
    return f"{things} {direction}, {left.size_bytes} bytes"


def free_transfers(session_id: int) -> None:
    """Let others do the transfers of a session that has ended."""
    if sql.run("free_transfers", session_id=session_id, known=[]):
        notices.notify([(notices.TRANSFERS, Session.objects.get(pk=session_id).site_id)])


# -- what users ask for --------------------------------------------------------------------------------


@retrying
def change_transfer(item_id: int, state: str, task_id: str | None = None, info: object = None) -> None:
    """Move a transfer: pending tries it again, error cancels it, done says that it has been done otherwise.

    Its job goes on, or back, or fails accordingly. Raises RefusedError where that makes no sense.
    """
    target = T(state)
    with transaction.atomic():
        lock_families()
        item = TransferItem.objects.get(pk=item_id)
        batch = Batch.lock([item.job_id])
        row = next(iter(batch.rows.values()))
        if target is T.PENDING:
            _try_again(batch, row, item)
        else:
            _require_waiting(row, item, target)
        _write(item, target, task_id, info)
        if target is not T.PENDING:
            _advance(batch)
        resolve(batch.write())
        batch.tell(notices.TRANSFERS)


def _try_again(batch: Batch, row: Row, item: TransferItem) -> None:
    waits_in = _STAGES[item.direction][0]
    if row.state is S.FAILED and item.state == T.ERROR:
        batch.keeps_done_transfers = True
        batch.enter(row, waits_in, f"Transfer {item.pk} is tried again", cause="user")
    elif item.state not in (T.PENDING, T.INACTIVE):
        raise RefusedError(
            f"Transfer {item.pk} is {item.state}, and its job {row.state.value}: only one that has failed, "
            "or waits, can be tried again."
        )


def _require_waiting(row: Row, item: TransferItem, target: T) -> None:
    if row.state is not _STAGES[item.direction][0] or item.state == T.DONE:
        raise RefusedError(
            f"Transfer {item.pk} cannot become {target.value}: it is {item.state}, and its job "
            f"{row.state.value} does not wait for it."
        )


def _write(item: TransferItem, target: T, task_id: str | None, info: object) -> None:
    item.state = target.value
    item.session_id = None
    if target is T.PENDING:
        item.failures = 0
        item.next_try = item.last_update
    if target is T.ERROR and not info:
        info = {"message": f"Transfer {item.pk} was cancelled"}
    if info is not None:
        item.transfer_info = dict(info) if isinstance(info, dict) else {}
    if task_id is not None:
        item.task_id = task_id
    item.save()

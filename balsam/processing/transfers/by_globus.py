"""Globus: one task of its service for a whole batch, which goes on whatever becomes of this process.

Before a task is submitted, the id of the submission is recorded with each move; of a submission that is made
again, Globus says which task it has become. So there is one task, at whatever moment this process is killed.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from balsam.exceptions import ConfigError, StepError, StepUnwanted, TransferWait
from balsam.platform.transfer import Batch, Desk, Move
from balsam.platform.transfer.globus import (
    Item,
    Outcome,
    failure_of,
    has_part,
    is_done,
    skipped_of,
    stray_of,
    trouble_of,
)
from balsam.processing.copying import bytes_below
from balsam.processing.transfers.globus_asking import asking, told
from balsam.processing.transfers.globus_login import transfer_client
from balsam.processing.transfers.sources import is_tree

if TYPE_CHECKING:
    import globus_sdk

__all__ = ["ByGlobus"]

log = logging.getLogger(__name__)

_SUBMISSION = "submission:"
#: A submission that has not become a task for certain, so that another one may be made.
_REFUSED = "refused"
_FIRST_PAUSE_SEC = 0.5
_LONGEST_PAUSE_SEC = 30.0

Items = Mapping[int, Sequence[Item]]


class ByGlobus:
    """``globus://ENDPOINT_UUID/PATH``."""

    def carry(self, batch: Batch, desk: Desk) -> None:
        """Have Globus do the moves, and wait until it has."""
        if not desk.endpoint.id:
            raise ConfigError(
                "Globus does not know how to reach the files of this site: name its endpoint, "
                "transfers.globus_endpoint_id in its settings.yml, then type `balsam site sync`."
            )
        client = transfer_client()
        items = {move.item_id: found for move in batch.moves if (found := _items(batch, move, desk))}
        moves = [move for move in batch.moves if move.item_id in items]
        if not moves:
            return
        task_id, is_ours = moves[0].task_id, True
        if task_id in ("", _REFUSED) or task_id.startswith(_SUBMISSION):
            submitted = self._submitted(client, batch, moves, items, desk)
            if submitted is None:
                return
            task_id, is_ours = submitted
        task = self._ended(client, task_id, moves, desk)
        if task is not None:
            with asking():
                outcomes = _outcomes(client, task, moves, items, is_ours=is_ours)
            _tell(batch, moves, items, outcomes, desk)

    def _submitted(
        self,
        client: "globus_sdk.TransferClient",
        batch: Batch,
        moves: Sequence[Move],
        items: Items,
        desk: Desk,
    ) -> tuple[str, bool] | None:
        """Return the task of moves, and whether it is of these for certain; None: they were refused."""
        import globus_sdk

        submission = moves[0].task_id.removeprefix(_SUBMISSION).removeprefix(_REFUSED)
        if not submission:
            with asking():
                submission = str(client.get_submission_id()["value"])
            desk.note_task(moves, _SUBMISSION + submission)
        document = _document(
            batch, desk.endpoint.id, submission, [i for m in moves for i in items[m.item_id]]
        )
        try:
            with asking():
                answer = client.submit_transfer(document)
        except TransferWait as error:
            if isinstance(error.__cause__, globus_sdk.TransferAPIError) and error.__cause__.http_status < 500:
                desk.note_task(moves, _REFUSED)
            raise
        except globus_sdk.TransferAPIError as error:
            for move in moves:
                desk.failed(move, f"Globus: {told(error)}", is_final=len(moves) == 1)
            return None
        task_id, is_ours = str(answer["task_id"]), answer["code"] != "Duplicate"
        if is_ours:
            desk.note_task(moves, task_id)
        return task_id, is_ours

    def _ended(
        self, client: "globus_sdk.TransferClient", task_id: str, moves: Sequence[Move], desk: Desk
    ) -> Mapping[str, Any] | None:
        """Return a task when it has ended; raises TransferWait when it waits for somebody."""
        import globus_sdk

        pause_sec = _FIRST_PAUSE_SEC
        while True:
            try:
                with asking():
                    task: Mapping[str, Any] = client.get_task(task_id).data
            except globus_sdk.TransferAPIError as error:
                for move in moves:
                    desk.failed(move, f"Globus: {told(error)}", is_final=False)
                return None
            if task["status"] in ("SUCCEEDED", "FAILED"):
                return task
            if trouble := trouble_of(task):
                raise TransferWait(
                    f"Globus, of its task {task_id}: {trouble}.\nIt goes on when that is over."
                )
            if len(moves) == 1:
                desk.progress(moves[0], task.get("bytes_transferred") or 0)
            try:
                desk.pause(pause_sec)
            except StepUnwanted:
                _cancel(client, task_id)
                raise
            pause_sec = min(_LONGEST_PAUSE_SEC, pause_sec * 1.5)


def _items(batch: Batch, move: Move, desk: Desk) -> list[Item]:
    """Return what Globus is to copy for a move; none when the desk was told what becomes of it."""
    try:
        if batch.direction == "in":
            local = os.path.join(desk.directory_of(move), move.name)
            return [Item(move.remote, _at_endpoint(local, desk), None if move.recursive else False)]
        items = [_item_out(move, local, desk) for local in move.local]
    except StepError as error:
        desk.failed(move, str(error), is_final=True)
        return []
    if not items:
        desk.sent(move, 0)
    return items


def _item_out(move: Move, local: str, desk: Desk) -> Item:
    recursive = is_tree(move, local)
    return Item(_at_endpoint(local, desk), move.target_of(local), recursive)


def _at_endpoint(local: str, desk: Desk) -> str:
    path = desk.endpoint.path_of(local)
    if path is None:
        raise StepError(
            f"{local} is not below {desk.endpoint.site_path}, which is all that the endpoint of this site "
            "is known to reach: see transfers.globus_endpoint_site_path in its settings.yml."
        )
    return path


def _document(batch: Batch, own: str, submission: str, items: Sequence[Item]) -> "globus_sdk.TransferData":
    """Describe a task: what is there is always copied, and compared by checksum; nobody gets mail of it."""
    import globus_sdk

    far = batch.place.host
    document = globus_sdk.TransferData(
        *((far, own) if batch.direction == "in" else (own, far)),
        label=f"Balsam {batch.direction}",
        submission_id=submission,
        verify_checksum=True,
        encrypt_data=True,
        preserve_timestamp=True,
        skip_source_errors=True,
        notify_on_succeeded=False,
        notify_on_failed=False,
        notify_on_inactive=False,
    )
    for item in items:
        recursive = globus_sdk.MISSING if item.recursive is None else item.recursive
        document.add_item(item.source, item.destination, recursive=recursive)
    return document


def _cancel(client: "globus_sdk.TransferClient", task_id: str) -> None:
    """Have Globus end a task; one that has ended meanwhile, or cannot be ended, is left as it is."""
    import globus_sdk

    try:
        with asking():
            client.cancel_task(task_id)
    except (globus_sdk.TransferAPIError, TransferWait) as error:
        log.warning("The Globus task %s could not be cancelled: %s", task_id, error)
    else:
        log.info("The Globus task %s is cancelled: nobody wants its transfers any more", task_id)


def _outcomes(
    client: "globus_sdk.TransferClient",
    task: Mapping[str, Any],
    moves: Sequence[Move],
    items: Items,
    *,
    is_ours: bool,
) -> dict[int, Outcome]:
    """Return why moves were not done; those that it does not name, were."""
    task_id = task["task_id"]
    has_failed = task["status"] == "FAILED"
    skipped = list(client.paginated.task_skipped_errors(task_id).items())
    files: set[str] = set()
    if has_failed or not is_ours:
        copied = client.paginated.task_successful_transfers(task_id).items()
        files = {str(one["destination_path"]) for one in copied}
    events = list(client.task_event_list(task_id, limit=100)) if has_failed else []
    is_alone = len(moves) == 1
    stray = stray_of([item for move in moves for item in items[move.item_id]], skipped)
    found: dict[int, Outcome] = {}
    for move in moves:
        mine = items[move.item_id]
        if outcome := skipped_of(mine, skipped, is_alone=is_alone) or stray:
            found[move.item_id] = outcome
        elif has_failed and not is_done(mine, files):
            found[move.item_id] = failure_of(task, mine, events, is_alone=is_alone)
        elif not is_ours and not has_part(mine, files):
            found[move.item_id] = Outcome(f"It was not part of the Globus task {task_id}", is_final=False)
    return found


def _tell(
    batch: Batch, moves: Sequence[Move], items: Items, outcomes: Mapping[int, Outcome], desk: Desk
) -> None:
    for move in moves:
        desk.check()
        if (outcome := outcomes.get(move.item_id)) is not None:
            desk.failed(move, outcome.words, is_final=outcome.is_final)
        elif batch.direction == "out":
            desk.sent(move, sum(map(bytes_below, move.local)))
        elif os.path.lexists(local := os.path.join(desk.directory_of(move), move.name)):
            desk.arrived(move, [local])
        else:
            words = (
                f"Globus has copied it to {items[move.item_id][0].destination}, and it is not at {local}. "
                "Are transfers.globus_endpoint_id and .globus_endpoint_site_path those of this site?"
            )
            desk.failed(move, words, is_final=False)

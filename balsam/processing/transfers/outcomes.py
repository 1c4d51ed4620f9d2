"""What comes of a transfer that was not simply done: it is handed back, tried again later, or given up."""

import errno
import random
from collections.abc import Callable

from balsam.exceptions import TransferWait
from balsam.schemas.transfers import TransferResult, TransferSpec
from balsam.states import TransferState as T

__all__ = ["MAX_TRIES", "failed", "given_up", "handed_back", "is_full", "no_room", "waiting_together"]

#: Starts of no avail after which a transfer is given up.
MAX_TRIES = 5
_FIRST_PAUSE_SEC = 2.0
_LONGEST_PAUSE_SEC = 300.0
#: Between two looks at whether what is waited for has come: a login, a host, room on a disk.
_WAIT_SEC = 15.0


def handed_back(spec: TransferSpec, why: str) -> TransferResult:
    """Return the result that lets somebody else do a transfer."""
    return TransferResult(item_id=spec.item_id, attempt=spec.attempt, state=T.PENDING.value, message=why)


def given_up(spec: TransferSpec, words: str) -> TransferResult:
    """Return the result that fails a transfer, and its job."""
    if spec.slot:
        where = f"{spec.location_alias}:{spec.remote_path}"
        words = f"The transfer {spec.slot!r} ({spec.direction}, {where}) failed: {words}"
    return TransferResult(
        item_id=spec.item_id, attempt=spec.attempt, state=T.ERROR.value, message=words, is_failure=True
    )


def failed(spec: TransferSpec, words: str) -> TransferResult:
    """Have a transfer tried again later, or give it up when that was done often enough."""
    tries = spec.failures + 1
    if tries >= MAX_TRIES:
        return given_up(spec, f"{words}\nIt was tried {tries} times.")
    pause_sec = min(_LONGEST_PAUSE_SEC, _FIRST_PAUSE_SEC * 2.0**spec.failures) * random.uniform(0.75, 1.25)
    return TransferResult(
        item_id=spec.item_id,
        attempt=spec.attempt,
        state=T.INACTIVE.value,
        message=f"{words}\nTry {tries} of {MAX_TRIES}.",
        retry_sec=pause_sec,
        is_failure=True,
    )


def waiting_together(*, needs_you: bool) -> Callable[[TransferSpec, str], TransferResult]:
    """Return what has transfers wait for somebody to see to it: that is no failure of theirs.

    All wait for one time, since others may do them together.
    """
    retry_sec = _WAIT_SEC * random.uniform(0.75, 1.25)

    def waiting(spec: TransferSpec, words: str) -> TransferResult:
        return TransferResult(
            item_id=spec.item_id,
            attempt=spec.attempt,
            state=T.INACTIVE.value,
            message=words,
            retry_sec=retry_sec,
            needs_you=needs_you,
        )

    return waiting


def no_room(words: object) -> TransferWait:
    """Return what is raised where a disk has no room left, here or at the other end."""
    return TransferWait(f"{words}\nIt goes on when there is room.", needs_you=True)


def is_full(error: OSError) -> bool:
    """Say whether a disk, or what one may take of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)

"""Word of what happens, for clients that wait: one listener for all of them, and a long poll each.

Nobody is woken, or told anything, by what happens at sites of others.
"""

import asyncio
import contextlib
import itertools
import logging
import threading
import time
from collections.abc import AsyncIterator, Iterable
from typing import Annotated, NamedTuple

from fastapi import APIRouter, FastAPI, Query, Request

from balsam.core import notices as words
from balsam.core.listening import DatabaseListener
from balsam.core.notices import Notice
from balsam.core.owners import owners_of
from balsam.exceptions import DatabaseError
from balsam.schemas.accounts import AccountId
from balsam.server.accounts import Caller
from balsam.server.connections import in_core
from balsam.server.sweeping import keep_sweeping

__all__ = ["LONGEST_WAIT_SEC", "Board", "lifespan", "router"]

logger = logging.getLogger(__name__)
router = APIRouter(tags=["notices"])
#: Told to all when something may have been missed.
_ANYTHING = (words.BATCH, words.END, words.TRANSFERS, words.WORK)
#: What follows closely is told together.
_GATHER_SEC = 0.02
_REOPEN_SEC = 1.0
#: Of one request.
LONGEST_WAIT_SEC = 60.0
_KEPT = 1_000


class _Told(NamedTuple):
    """A notice with its number, and the account whose it is; None: everybody's."""

    number: int
    notice: Notice
    account: int | None

    def concerns(self, caller: AccountId) -> bool:
        """Say whether it is of the caller's account, and of the site where a login is for one."""
        is_theirs = self.account is None or self.account == caller
        return is_theirs and (caller.site_id is None or self.notice.site_id in (None, caller.site_id))


class Board:
    """Notices in order, numbered; whoever waits is told by its event loop.

    Numbers begin with the time, so that those of a server which was restarted are greater than before.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        #: Account -> what wakes those who wait for it.
        self._changed: dict[int, asyncio.Event] = {}
        self._notices: list[_Told] = []
        self.last = self._forgotten = time.time_ns() // 1_000_000
        #: Nobody waits any more: the server ends.
        self.is_closed = False

    def close(self) -> None:
        """End all waiting; from the event loop."""
        self.is_closed = True
        self._wake(None)

    def put(self, told: Iterable[tuple[Notice, int | None]]) -> None:
        """Add notices, each for an account (None: for all); from any thread."""
        self._loop.call_soon_threadsafe(self._put, list(told))

    def put_anything(self) -> None:
        """Tell all that anything may have happened; from any thread."""
        self.put((Notice(topic, None), None) for topic in _ANYTHING)

    def _put(self, told: list[tuple[Notice, int | None]]) -> None:
        for notice, account in told:
            self.last += 1
            self._notices.append(_Told(self.last, notice, account))
            self._wake(account)
        for kept in self._notices[:-_KEPT]:
            self._forgotten = kept.number
        del self._notices[:-_KEPT]

    def _wake(self, account: int | None) -> None:
        for one in list(self._changed) if account is None else [account]:
            if (event := self._changed.pop(one, None)) is not None:
                event.set()

    async def wait(self, caller: AccountId, after: int, seconds: float) -> list[str]:
        """Return the topics after a number that concern a caller, waiting at most this long for the first.

        For a number of which nothing is known any more, that is every topic of everybody's.
        """
        if not self._forgotten <= after <= self.last:
            return list(_ANYTHING)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._topics(caller, after) and not self.is_closed:
                    await self._changed.setdefault(int(caller), asyncio.Event()).wait()
                    await asyncio.sleep(_GATHER_SEC)
        return self._topics(caller, after)

    def _topics(self, caller: AccountId, after: int) -> list[str]:
        new = itertools.takewhile(lambda told: told.number > after, reversed(self._notices))
        found = [told.notice.topic for told in new if told.concerns(caller)]
        return list(dict.fromkeys(reversed(found)))


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Listen to the database while the server runs."""
    app.state.board = board = Board(asyncio.get_running_loop())
    stop = threading.Event()
    threading.Thread(target=_listen, args=(board, stop), name="notices", daemon=True).start()
    threading.Thread(target=keep_sweeping, args=(stop,), name="sweeping", daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def _listen(board: Board, stop: threading.Event) -> None:
    """Carry notices from the database to the board, whatever becomes of the connection."""
    while not stop.is_set():
        try:
            listener = DatabaseListener()
            board.put_anything()  # some may have been missed
            while not stop.is_set():
                board.put(_with_accounts(listener.notices(5.0)))
        except DatabaseError as error:
            logger.warning("%s", error)
            stop.wait(_REOPEN_SEC)


def _with_accounts(told: list[Notice]) -> list[tuple[Notice, int | None]]:
    """Say whose each notice is; of a site that is gone all are told, but of no session.

    What belongs to the owner of the database concerns no account.
    """
    sites = {notice.site_id for notice in told if notice.site_id is not None}
    owners = in_core(lambda: owners_of(sites)) if sites else {}
    found: list[tuple[Notice, int | None]] = []
    for notice in told:
        if notice.site_id is None or notice.site_id not in owners:
            found += [(Notice(notice.topic, None), None)] if notice.topic in _ANYTHING else []
        elif (account := owners[notice.site_id]) is not None:
            found.append((notice, account))
    return found


@router.get("/notices")
async def notices(
    request: Request,
    caller: Caller,
    after: int = -1,
    timeout_sec: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SEC)] = 30.0,
) -> dict[str, object]:
    """Wait for something to happen after notice number ``after``; -1: say only which number is the last."""
    board: Board = request.app.state.board
    topics = [] if after < 0 else await board.wait(caller.id, after, timeout_sec)
    return {"topics": topics, "last": board.last}

"""Word of what happens, for clients that wait: one listener for all of them, and a long poll each."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request
from starlette.concurrency import run_in_threadpool

from balsam.core import owners
from balsam.core.listening import DatabaseListener
from balsam.exceptions import DatabaseError
from balsam.server.accounts import Caller
from balsam.server.connections import in_core
from balsam.server.sweeping import keep_sweeping

__all__ = ["LONGEST_WAIT_SEC", "Board", "lifespan", "router"]

logger = logging.getLogger(__name__)
router = APIRouter(tags=["notices"])
#: Of what concerns everybody; "lost N" concerns the owner of session N.
_PUBLIC = frozenset(("work", "end", "batch"))
_LOST = "lost "
#: What follows closely is told together.
_GATHER_SEC = 0.02
_REOPEN_SEC = 1.0
#: Of one request.
LONGEST_WAIT_SEC = 60.0
_KEPT = 1_000


class Board:
    """Notices in order, numbered; whoever waits is told by its event loop.

    Numbers begin with the time, so that those of a server which was restarted are greater than before.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._changed = asyncio.Event()
        self._notices: list[tuple[int, str]] = []
        self.last = self._forgotten = time.time_ns() // 1_000_000
        #: Nobody waits any more: the server ends.
        self.is_closed = False

    def close(self) -> None:
        """End all waiting; from the event loop."""
        self.is_closed = True
        self._changed.set()

    def put(self, topics: list[str]) -> None:
        """Add notices; from any thread."""
        told = [topic for topic in topics if topic in _PUBLIC or topic.startswith(_LOST)]
        self._loop.call_soon_threadsafe(self._put, told)

    def _put(self, topics: list[str]) -> None:
        for topic in topics:
            self.last += 1
            self._notices.append((self.last, topic))
        for number, _ in self._notices[:-_KEPT]:
            self._forgotten = number
        del self._notices[:-_KEPT]
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, after: int, seconds: float) -> list[str]:
        """Return the topics after a number, waiting at most this long for the first.

        For a number of which nothing is known any more, that is every topic of everybody's.
        """
        if not self._forgotten <= after <= self.last:
            return sorted(_PUBLIC)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.last <= after and not self.is_closed:
                    await self._changed.wait()
                    await asyncio.sleep(_GATHER_SEC)
        return list(dict.fromkeys(topic for number, topic in self._notices if number > after))


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
            board.put(sorted(_PUBLIC))  # some may have been missed
            while not stop.is_set():
                board.put(listener.wait(5.0))
        except DatabaseError as error:
            logger.warning("%s", error)
            stop.wait(_REOPEN_SEC)


@router.get("/notices")
async def notices(
    request: Request,
    caller: Caller,
    after: int = -1,
    timeout_sec: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SEC)] = 30.0,
) -> dict[str, object]:
    """Wait for something to happen after notice number ``after``; -1: say only which number is the last."""
    board: Board = request.app.state.board
    if after < 0:
        return {"topics": [], "last": board.last}
    topics, last = await board.wait(after, timeout_sec), board.last
    if any(topic.startswith(_LOST) for topic in topics):
        topics = await run_in_threadpool(_of, caller.id, topics)
    return {"topics": topics, "last": last}


def _of(account: int, topics: list[str]) -> list[str]:
    """Return the topics that concern an account."""
    lost = {topic: int(topic.removeprefix(_LOST)) for topic in topics if topic.startswith(_LOST)}
    mine = in_core(lambda: owners.sessions_among(account, list(lost.values())))
    return [topic for topic in topics if topic not in lost or lost[topic] in mine]

"""Word of what happens, for clients that wait: one listener for all of them, and a long poll each."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request

from balsam.core.listening import DatabaseListener
from balsam.exceptions import DatabaseError
from balsam.server.accounts import Caller

__all__ = ["Board", "lifespan", "router"]

logger = logging.getLogger(__name__)
router = APIRouter(tags=["notices"])
#: Of what concerns everybody; others name what is not everybody's.
_PUBLIC = frozenset(("work", "end", "batch"))
_REOPEN_SEC = 1.0
_LONGEST_WAIT_SEC = 60.0
_KEPT = 1_000


class Board:
    """Notices in order, numbered; whoever waits is told by its event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._changed = asyncio.Event()
        self._notices: list[tuple[int, str]] = []
        self.last = 0

    def put(self, topics: list[str]) -> None:
        """Add notices; from any thread."""
        self._loop.call_soon_threadsafe(self._put, [topic for topic in topics if topic in _PUBLIC])

    def _put(self, topics: list[str]) -> None:
        for topic in topics:
            self.last += 1
            self._notices.append((self.last, topic))
        del self._notices[:-_KEPT]
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait(self, after: int, seconds: float) -> list[str]:
        """Return the topics after a number, waiting at most this long for the first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.last <= after:
                    await self._changed.wait()
        return list(dict.fromkeys(topic for number, topic in self._notices if number > after))


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Listen to the database while the server runs."""
    app.state.board = board = Board(asyncio.get_running_loop())
    stop = threading.Event()
    thread = threading.Thread(target=_listen, args=(board, stop), name="notices", daemon=True)
    thread.start()
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
    timeout_sec: Annotated[float, Query(ge=0, le=_LONGEST_WAIT_SEC)] = 30.0,
) -> dict[str, object]:
    """Wait for something to happen after notice number ``after``; -1: say only which number is the last."""
    board: Board = request.app.state.board
    topics = [] if after < 0 else await board.wait(after, timeout_sec)
    return {"topics": topics, "last": board.last}

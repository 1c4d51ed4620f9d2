"""Keep loops going: each in a thread of its own, restarted with a growing pause when it raises.

Guards that no failure of one loop ends the service or another loop, and that every failure is seen.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from balsam.agent.health import Board
from balsam.exceptions import BalsamError, LeaseLostError

__all__ = ["Loop", "Supervisor"]

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SEC = 1.0
_LONGEST_PAUSE_SEC = 60.0


class Loop(Protocol):
    """One concern of the service."""

    name: str
    #: However often it is woken, cycles begin at least so far apart.
    spacing_sec: float

    def cycle(self) -> float:
        """Do what is to be done; return the seconds after which to look again, unless woken before."""

    def interrupt(self) -> None:
        """Make a cycle that waits for something return; called from another thread."""

    def close(self) -> None:
        """Give back what the loop holds; called once, in its own thread, after the last cycle."""


class Supervisor:
    """Runs loops until it is stopped.

    ``on_lost`` is called when a loop finds the lease gone, ``on_thread_end`` in each thread at its end.
    """

    def __init__(
        self,
        loops: Sequence[Loop],
        board: Board,
        *,
        on_lost: Callable[[str], None],
        on_thread_end: Callable[[], None],
    ) -> None:
        self._loops = {loop.name: loop for loop in loops}
        self._board = board
        self._on_lost = on_lost
        self._on_thread_end = on_thread_end
        self._stopping = threading.Event()
        self._woken = {name: threading.Event() for name in self._loops}
        self._threads = [
            threading.Thread(target=self._run, args=[loop], name=loop.name, daemon=True) for loop in loops
        ]

    def start(self) -> None:
        """Start all loops."""
        for thread in self._threads:
            thread.start()

    def wake(self, *names: str) -> None:
        """Let loops have their next cycle now; those that there are not are left out."""
        for name in names:
            if name in self._woken:
                self._woken[name].set()

    @property
    def is_stopping(self) -> bool:
        """Whether loops are to end."""
        return self._stopping.is_set()

    def stop(self, timeout_sec: float) -> list[str]:
        """End all loops; return the names of those that did not end in time."""
        self._stopping.set()
        for name, loop in self._loops.items():
            self._woken[name].set()
            loop.interrupt()
        deadline = time.monotonic() + timeout_sec
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return [thread.name for thread in self._threads if thread.is_alive()]

    def _run(self, loop: Loop) -> None:
        woken = self._woken[loop.name]
        while not self._stopping.is_set():
            woken.clear()
            began = time.monotonic()
            pause_sec = self._attempt(loop)
            if pause_sec is None:
                continue
            self._stopping.wait(max(0.0, began + loop.spacing_sec - time.monotonic()))
            woken.wait(pause_sec)
        try:
            loop.close()
            self._on_thread_end()
        except Exception:
            logger.exception("The loop %s did not end cleanly", loop.name)

    def _attempt(self, loop: Loop) -> float | None:
        """Have one cycle done; return the pause after it, None when it failed and has been waited for."""
        try:
            pause_sec = loop.cycle()
        except LeaseLostError as error:
            self._on_lost(str(error))
            self._fail(loop, error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it is told and gone on from
            self._fail(loop, error)
        else:
            self._board.completed(loop.name)
            return pause_sec
        return None

    def _fail(self, loop: Loop, error: BaseException) -> None:
        if self._stopping.is_set():
            logger.info("The loop %s ended with: %s", loop.name, error)
            return
        text = str(error) if isinstance(error, BalsamError) else f"{type(error).__name__}: {error}"
        in_a_row = self._board.failed(loop.name, text)
        pause_sec = min(_LONGEST_PAUSE_SEC, _FIRST_PAUSE_SEC * 2.0 ** min(in_a_row - 1, 16))
        pause_sec *= random.uniform(0.75, 1.0)
        logger.warning(
            "The loop %s failed (%d in a row) and goes on in %.0f s: %s",
            loop.name,
            in_a_row,
            pause_sec,
            text,
            exc_info=None if isinstance(error, BalsamError) else error,
        )
        self._stopping.wait(pause_sec)

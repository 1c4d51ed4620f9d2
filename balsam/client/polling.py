"""Notices of a server by long polls, in a thread of their own, so that whoever waits can be woken at once."""

import queue
import threading
from collections.abc import Callable

from balsam.exceptions import BalsamError, UnreachableError

__all__ = ["Polling"]

_POLL_SEC = 30.0
#: (number of the last notice known, seconds to wait) -> (topics, number of the last notice).
Poll = Callable[[int, float], tuple[list[str], int]]


class Polling:
    """A stream of notices. `wait` may be called by one thread, `wake` and `close` by any."""

    def __init__(self, poll: Poll) -> None:
        self._poll = poll
        _, self._last = poll(-1, 0.0)
        self._told: queue.SimpleQueue[list[str] | BalsamError] = queue.SimpleQueue()
        self._is_closed = False
        threading.Thread(target=self._run, name="balsam-polls", daemon=True).start()

    def _run(self) -> None:
        while not self._is_closed:
            try:
                topics, self._last = self._poll(self._last, _POLL_SEC)
            except BalsamError as error:
                self._told.put(error)
                return
            if topics:
                self._told.put(topics)

    def wait(self, timeout_sec: float) -> list[str]:
        """Return the topics that came, waiting at most this long for the first; [] after a `wake`.

        Raises UnreachableError when the server has not answered: open a new stream, and look at everything.
        """
        try:
            told = self._told.get(timeout=max(timeout_sec, 0.0))
        except queue.Empty:
            return []
        if isinstance(told, BalsamError):
            raise UnreachableError(f"Notices have ended: {told}") from told
        return told

    def wake(self) -> None:
        """Make a `wait` in another thread return at once."""
        self._told.put([])

    def close(self) -> None:
        """Ask nothing more; a poll that is under way ends by itself."""
        self._is_closed = True

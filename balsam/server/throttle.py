"""Hold back who guesses passwords: a few tries, then one at a time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from balsam.server.errors import TooManyTriesError

__all__ = ["Throttle"]

#: Names and addresses that are remembered; the oldest are forgotten.
_REMEMBERED = 10_000


class Throttle:
    """Counts failures by key; each is forgiven after ``period_sec``."""

    def __init__(
        self, tries: int = 10, period_sec: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tries, self._period_sec, self._clock = tries, period_sec, clock
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, *keys: str) -> None:
        """Raise TooManyTriesError when one of these has failed too often of late."""
        with self._lock:
            if any(len(self._recent(key)) >= self._tries for key in keys):
                raise TooManyTriesError

    def note_failure(self, *keys: str) -> None:
        """Count a failure."""
        with self._lock:
            for key in keys:
                self._failures[key] = [*self._recent(key), self._clock()]
                self._failures.move_to_end(key)
            while len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)

    def _recent(self, key: str) -> list[float]:
        since = self._clock() - self._period_sec
        return [moment for moment in self._failures.get(key, []) if moment > since]

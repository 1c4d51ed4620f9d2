"""Hold back who tries too often: guesses of passwords and codes, and requests that anybody may send.

Counts are kept in the process, so several processes of a server allow as many times more.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from balsam.exceptions import LoginNeededError, NotFoundError, TooManyTriesError

__all__ = ["Throttle"]

#: Keys that are remembered; the oldest are forgotten.
_REMEMBERED = 10_000


class Throttle:
    """Counts tries by key; each is forgiven after ``period_sec``."""

    def __init__(
        self, tries: int = 10, period_sec: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tries, self._period_sec, self._clock = tries, period_sec, clock
        self._counted: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, *keys: str) -> None:
        """Count a try by each key, unless one has had too many of late: then raise TooManyTriesError."""
        with self._lock:
            full = [recent for key in keys if len(recent := self._recent(key)) >= self._tries]
            if full:
                until = max(recent[0] for recent in full) + self._period_sec
                wait_sec = max(1, math.ceil(until - self._clock()))
                raise TooManyTriesError(f"Too many tries. Wait {wait_sec} s, then try again.", wait_sec)
            for key in keys:
                self._counted[key] = [*self._recent(key), self._clock()]
                self._counted.move_to_end(key)
            while len(self._counted) > _REMEMBERED:
                self._counted.popitem(last=False)

    @contextmanager
    def guess(self, *keys: str) -> Iterator[None]:
        """Count a guess before it is made, so that many at once are not more; forgive it if it is right."""
        self.admit(*keys)
        try:
            yield
        except (LoginNeededError, NotFoundError):
            raise
        except BaseException:
            self._forgive(*keys)
            raise
        self._forgive(*keys)

    def _forgive(self, *keys: str) -> None:
        with self._lock:
            for key in keys:
                del self._counted.get(key, [])[-1:]

    def _recent(self, key: str) -> list[float]:
        since = self._clock() - self._period_sec
        return [moment for moment in self._counted.get(key, []) if moment > since]

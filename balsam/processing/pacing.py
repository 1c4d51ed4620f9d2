"""When to call the database again: soon, but never in a tight loop.

After an error the pause grows with each further one; after a call in vain it follows from the call's cost.
"""

import random
import time
from collections.abc import Callable

__all__ = ["Pace"]

_FIRST_PAUSE_SEC = 0.1
_LONGEST_PAUSE_SEC = 20.0


class Pace:
    """The earliest time of the next call of one kind."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._not_before = clock()
        self._failures = 0

    @property
    def has_failed(self) -> bool:
        """Say whether the last call failed."""
        return self._failures > 0

    @property
    def wait_sec(self) -> float:
        """How long to wait still; 0 when the call may be made."""
        return max(0.0, self._not_before - self._clock())

    def failed(self) -> None:
        """Note a call that failed."""
        pause_sec = min(_LONGEST_PAUSE_SEC, _FIRST_PAUSE_SEC * 2.0 ** min(self._failures, 16))
        self._failures += 1
        self._not_before = self._clock() + pause_sec * random.uniform(0.75, 1.25)

    def succeeded(self, pause_sec: float = 0.0) -> None:
        """Note a call that was answered; the next one waits ``pause_sec``."""
        self._failures = 0
        self._not_before = self._clock() + pause_sec

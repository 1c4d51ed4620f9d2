"""When to submit to a queue again after launches that came to nothing; pure but for the clock given to it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from balsam.lib.durations import human_duration

__all__ = ["Patience"]

_FIRST_PAUSE_SEC = 30.0
_LONGEST_PAUSE_SEC = 3600.0


@dataclass(slots=True)
class _Trouble:
    failures: int
    failed_at: float
    until: float
    reason: str


class Patience:
    """Launches in vain by queue: each one in a row doubles the pause before the next.

    Those asked for before the last failure was known have failed with it, and count no further.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._troubles: dict[str, _Trouble] = {}

    def failed(self, queue: str, reason: str, age_sec: float = 0.0) -> float:
        """Note a launch in vain that was asked for ``age_sec`` ago; return the seconds until the next one."""
        now = self._clock()
        trouble = self._troubles.get(queue)
        if trouble is not None and now - age_sec < trouble.failed_at:
            trouble.reason = reason
            return max(0.0, trouble.until - now)
        failures = trouble.failures + 1 if trouble is not None else 1
        pause_sec = min(_LONGEST_PAUSE_SEC, _FIRST_PAUSE_SEC * 2.0 ** min(failures - 1, 16))
        self._troubles[queue] = _Trouble(failures, now, now + pause_sec, reason)
        return pause_sec

    def succeeded(self, queue: str) -> None:
        """Note a launch that has run something."""
        self._troubles.pop(queue, None)

    def held_back(self) -> dict[str, str]:
        """Say by queue why nothing is submitted to it now."""
        now = self._clock()
        return {
            queue: f"{trouble.reason}; the next launch in {human_duration(trouble.until - now)}"
            for queue, trouble in self._troubles.items()
            if trouble.until > now
        }

    def next_change_sec(self) -> float | None:
        """Return the seconds until a queue may be tried again; None when none is held back."""
        now = self._clock()
        ends = [trouble.until - now for trouble in self._troubles.values() if trouble.until > now]
        return min(ends, default=None)

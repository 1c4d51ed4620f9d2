"""Wait until people have stopped adding jobs, so that a launch is not shaped by the first few; pure."""

import time
from collections.abc import Callable

from balsam.agent.shapes import Work

__all__ = ["Settling"]

_QUIET_SEC = 2.0
_LONGEST_SEC = 10.0


class Settling:
    """Watches the amount of work; more of it than at the last look restarts the wait, up to a bound."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._amount = 0
        self._growing_since: float | None = None
        self._grew_at = -float("inf")

    def pause_sec(self, work: Work) -> float:
        """Return how long to wait before planning for this work; 0 when it has settled."""
        now = self._clock()
        if work.num_jobs > self._amount:
            self._grew_at = now
            if self._growing_since is None:
                self._growing_since = now
        self._amount = work.num_jobs
        if self._growing_since is None:
            return 0.0
        until = min(self._grew_at + _QUIET_SEC, self._growing_since + _LONGEST_SEC)
        if now >= until:
            self._growing_since = None
            return 0.0
        return until - now

"""How many jobs to keep queued at a worker, and when to report; pure, by the worker's own rate.

Enough that a worker never waits for the database, and so few that other launchers are not robbed.
"""

from collections import deque

__all__ = ["Pacing", "report_delay_sec"]

_WINDOW_SEC = 1.0
_MAX_QUEUE = 2000
#: Under load, reports are gathered for this long: a batch of n costs hardly more than one.
_GATHER_SEC = 0.05
#: So few events per report mean that nothing is gained by gathering.
_FEW = 4


class Pacing:
    """The feeding of one worker."""

    def __init__(self) -> None:
        self._starts: deque[tuple[float, int]] = deque()
        self._in_window = 0
        self._asked = 4
        #: The worker cannot start what it has been given until something ends.
        self.is_blocked = False

    def note_starts(self, count: int, now: float) -> None:
        """Count jobs that have started."""
        self._starts.append((now, count))
        self._in_window += count
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._starts and self._starts[0][0] < now - _WINDOW_SEC:
            self._in_window -= self._starts.popleft()[1]

    def wanted(self, queued: int, is_starved: bool, now: float) -> int:
        """Return how many more jobs the worker should get.

        A starved worker gets twice what it got last time, so that a node of any width fills in a few
        steps; one that keeps starting jobs gets what it starts in half a second.
        """
        self._forget(now)
        if self.is_blocked:
            return 0
        by_rate = min(_MAX_QUEUE, self._in_window // 2)
        if is_starved and queued == 0:
            self._asked = min(_MAX_QUEUE, max(4, by_rate, self._asked * 2))
            return self._asked
        self._asked = max(4, by_rate)
        return max(0, by_rate - queued) if queued < by_rate // 2 else 0


def report_delay_sec(events_in_last: int) -> float:
    """Return how long to gather results before the next report, by how many the last one had."""
    return 0.0 if events_in_last <= _FEW else _GATHER_SEC

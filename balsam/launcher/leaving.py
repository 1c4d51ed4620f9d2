"""When a launcher that has nothing to run leaves; pure but for the clock given to it."""

import math
import time
from collections.abc import Callable

from balsam.launcher.options import LauncherOptions
from balsam.schemas.sessions import Outlook

__all__ = ["Leaving"]

_LOOK_SEC = 1.0


class Leaving:
    """Decides by what is left in the database, and by how long nothing has changed."""

    def __init__(self, options: LauncherOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._clock = clock
        self._last_change = clock()
        self._is_waiting = False

    def note_change(self) -> None:
        """Something happened: the patience starts anew."""
        self._last_change = self._clock()

    def next_look_sec(self, is_holding: bool) -> float | None:
        """How long to wait for news before looking again; None for as long as it takes."""
        if is_holding:
            return _LOOK_SEC * 5
        return _LOOK_SEC if self._is_waiting and not self._options.persistent else _LOOK_SEC * 10

    def should_leave(self, outlook: Outlook) -> bool:
        """Say whether to leave, with nothing held and nothing runnable here.

        Work in the hands of others may make more ready, for children that wait or after a hook: for that a
        launcher stays, but not longer than its patience.
        """
        if self._options.persistent:
            return False
        may_come = outlook.processable or outlook.in_other_steps or (outlook.held and outlook.waiting)
        self._is_waiting = bool(may_come)
        idle_sec = self._clock() - self._last_change
        if not may_come:
            self._is_waiting = idle_sec <= self._options.linger_sec
            return not self._is_waiting
        patience_sec = self._options.idle_sec if outlook.held or not self._has_hands else math.inf
        return idle_sec > patience_sec

    @property
    def _has_hands(self) -> bool:
        """Whether this launcher does hooks and staging itself."""
        return self._options.num_transition_threads > 0

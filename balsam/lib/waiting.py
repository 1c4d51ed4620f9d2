"""Wait for a condition that other processes bring about; the clock can be replaced."""

import time
from collections.abc import Callable

_LONGEST_PAUSE_SEC = 0.1


def wait_for(
    condition: Callable[[], bool],
    timeout_sec: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Ask ``condition`` again and again, in pauses of up to 0.1 s; False after ``timeout_sec``."""
    deadline = clock() + timeout_sec
    pause_sec = 0.005
    while not condition():
        if clock() >= deadline:
            return False
        sleep(pause_sec)
        pause_sec = min(pause_sec * 1.5, _LONGEST_PAUSE_SEC)
    return True

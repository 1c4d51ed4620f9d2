"""Wait on conditions: the one way in which a test lets time pass."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], timeout_sec: float = 30, *, what: str = "") -> T:
    """Call ``condition`` until its value is true, and return that value.

    Raises AssertionError with the last value after ``timeout_sec``; an AssertionError of the condition
    counts as "not yet" and is the one shown.
    """
    deadline = time.monotonic() + timeout_sec
    pause_sec = 0.002
    while True:
        last: object
        try:
            value = condition()
            if value:
                return value
            last = value
        except AssertionError as error:
            last = error
        if time.monotonic() >= deadline:
            name = what or getattr(condition, "__name__", "condition")
            raise AssertionError(f"{name} did not hold within {timeout_sec} s; last value: {last!r}")
        time.sleep(pause_sec)
        pause_sec = min(pause_sec * 1.5, 0.1)

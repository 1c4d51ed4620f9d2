"""Wait on conditions: the one way in which a test lets time pass."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T], timeout_sec: float = 30, *, what: str = "", pause_sec: float = 0.002
) -> T:
    """Call ``condition`` until its value is true, and return that value.

    Raises AssertionError with the last value after ``timeout_sec``; an AssertionError of the condition
    counts as "not yet" and is the one shown. ``pause_sec`` is the first pause between two calls; later ones
    are longer, up to 0.1 s, unless that is more: a condition that costs something disturbs what is measured.
    """
    deadline = time.monotonic() + timeout_sec
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
        pause_sec = max(pause_sec, min(pause_sec * 1.5, 0.1))

"""Guessing is held back, by name and by address, and forgiven."""

import pytest

from balsam.server.errors import TooManyTriesError
from balsam.server.throttle import Throttle


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_some_failures_are_forgiven_and_more_are_held_back_for_a_while():
    clock = Clock()
    throttle = Throttle(tries=3, period_sec=60, clock=clock)
    for _ in range(3):
        throttle.check("maria", "host")
        throttle.note_failure("maria", "host")
    for keys in (("maria",), ("host",), ("other", "host")):
        with pytest.raises(TooManyTriesError):
            throttle.check(*keys)
    throttle.check("other")
    clock.now = 61.0
    throttle.check("maria", "host")


def test_memory_is_bounded():
    throttle = Throttle()
    for number in range(10_050):
        throttle.note_failure(str(number))
    assert len(throttle._failures) == 10_000

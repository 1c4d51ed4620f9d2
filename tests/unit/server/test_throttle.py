"""Guessing is held back, by name and by address, and forgiven."""

import pytest

from balsam.exceptions import TooManyTriesError
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
        throttle.count("maria", "host")
    for keys in (("maria",), ("host",), ("other", "host")):
        with pytest.raises(TooManyTriesError):
            throttle.check(*keys)
    throttle.check("other")
    clock.now = 61.0
    throttle.check("maria", "host")


def test_memory_is_bounded():
    throttle = Throttle()
    for number in range(10_050):
        throttle.count(str(number))
    assert len(throttle._counted) == 10_000


def test_refusal_tells_how_long_to_wait():
    clock = Clock()
    throttle = Throttle(tries=2, period_sec=60, clock=clock)
    throttle.admit("host")
    clock.now = 20.0
    throttle.admit("host")
    clock.now = 30.5
    with pytest.raises(TooManyTriesError, match="Wait 30 s") as caught:
        throttle.admit("host")
    assert caught.value.retry_after_sec == 30
    clock.now = 60.5
    throttle.admit("host")

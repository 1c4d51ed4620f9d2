"""Guessing is held back, by name and by address, and forgiven."""

import pytest

from balsam.exceptions import DatabaseUnreachable, LoginNeededError, TooManyTriesError
from balsam.server.throttle import Throttle


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_some_tries_are_let_in_and_more_are_held_back_for_a_while():
    clock = Clock()
    throttle = Throttle(tries=3, period_sec=60, clock=clock)
    for _ in range(3):
        throttle.admit("maria", "host")
    for keys in (("maria",), ("host",), ("other", "host")):
        with pytest.raises(TooManyTriesError):
            throttle.admit(*keys)
    throttle.admit("other")
    clock.now = 61.0
    throttle.admit("maria", "host")


def guess(throttle: Throttle, error: Exception | None) -> None:
    with throttle.guess("maria"):
        if error is not None:
            raise error


def test_wrong_guesses_count_and_right_ones_do_not():
    throttle = Throttle(tries=2)
    for _ in range(5):
        guess(throttle, None)
        with pytest.raises(DatabaseUnreachable):
            guess(throttle, DatabaseUnreachable())
    for _ in range(2):
        with pytest.raises(LoginNeededError):
            guess(throttle, LoginNeededError())
    with pytest.raises(TooManyTriesError):
        guess(throttle, None)


def test_guesses_at_the_same_time_are_not_more():
    throttle = Throttle(tries=2)
    with throttle.guess("maria"), throttle.guess("maria"):
        with pytest.raises(TooManyTriesError):
            guess(throttle, None)
    guess(throttle, None)


def test_memory_is_bounded():
    throttle = Throttle()
    for number in range(10_050):
        throttle.admit(str(number))
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

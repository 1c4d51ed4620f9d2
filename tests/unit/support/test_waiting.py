"""Waiting on conditions."""

import pytest

from tests.waiting import wait_until


def test_value_of_the_condition_is_returned():
    values = iter([0, None, 7])
    assert wait_until(lambda: next(values)) == 7


def test_failed_wait_tells_the_last_value():
    with pytest.raises(AssertionError, match="last value: 0"):
        wait_until(lambda: 0, timeout_sec=0)


def test_assertion_inside_the_condition_is_the_reason_shown():
    def count_is_two() -> bool:
        raise AssertionError("count is 1")

    with pytest.raises(AssertionError, match=r"count_is_two did not hold.*count is 1"):
        wait_until(count_is_two, timeout_sec=0)

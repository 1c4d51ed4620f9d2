"""Pauses after launches in vain, and the wait until work has settled."""

import pytest

from balsam.agent.patience import Patience
from balsam.agent.settling import Settling
from balsam.agent.shapes import Shape, Work

ONE = Shape(1, 1, 1, 10)


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_each_launch_in_vain_doubles_the_pause_up_to_an_hour(clock: Clock):
    patience = Patience(clock)
    assert [patience.failed("q", "why") for _ in range(9)] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_launches_of_one_wave_count_as_one(clock: Clock):
    patience = Patience(clock)
    assert patience.failed("q", "first", age_sec=20) == 30
    clock.now += 5
    assert patience.failed("q", "second", age_sec=24) == 25
    assert patience.held_back()["q"].startswith("second")
    clock.now += 60
    assert patience.failed("q", "third", age_sec=20) == 60


def test_queue_is_held_back_with_the_reason_until_the_pause_is_over(clock: Clock):
    patience = Patience(clock)
    assert patience.next_change_sec() is None
    patience.failed("q", "it was refused")
    assert patience.held_back() == {"q": "it was refused; the next launch in 30 s"}
    assert patience.next_change_sec() == 30
    clock.now += 31
    assert (patience.held_back(), patience.next_change_sec()) == ({}, None)
    assert patience.failed("q", "again") == 60, "the row goes on"


def test_launch_that_ran_something_ends_the_row_of_its_queue_alone(clock: Clock):
    patience = Patience(clock)
    patience.failed("q", "why")
    patience.failed("other", "why")
    patience.succeeded("q")
    assert list(patience.held_back()) == ["other"]
    assert patience.failed("q", "why") == 30


def jobs(count: int) -> Work:
    return Work({ONE: count} if count else {})


def test_work_that_grows_is_waited_for(clock: Clock):
    settling = Settling(clock)
    assert settling.pause_sec(jobs(0)) == 0
    assert settling.pause_sec(jobs(5)) == 2
    clock.now += 1.5
    assert settling.pause_sec(jobs(9)) == 2
    clock.now += 2
    assert settling.pause_sec(jobs(9)) == 0
    assert settling.pause_sec(jobs(4)) == 0, "less work is nothing to wait for"


def test_work_that_never_stops_growing_is_not_waited_for_long(clock: Clock):
    settling = Settling(clock)
    began = clock.now
    for count in range(1, 100):
        if not settling.pause_sec(jobs(count)):
            break
        clock.now += 0.5
    assert clock.now - began == 10

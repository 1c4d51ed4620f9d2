from balsam.lib.waiting import wait_for


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def test_condition_that_holds_costs_no_time() -> None:
    clock = Clock()
    assert wait_for(lambda: True, 0.0, sleep=clock.sleep, clock=lambda: clock.now)
    assert clock.pauses == []


def test_condition_is_asked_until_it_holds() -> None:
    clock = Clock()
    assert wait_for(lambda: clock.now > 1, 10.0, sleep=clock.sleep, clock=lambda: clock.now)
    assert 1 < clock.now < 1.2


def test_wait_ends_with_its_time() -> None:
    clock = Clock()
    assert not wait_for(lambda: False, 3.0, sleep=clock.sleep, clock=lambda: clock.now)
    assert 3 <= clock.now < 3.2


def test_pauses_grow_to_a_tenth_of_a_second() -> None:
    clock = Clock()
    wait_for(lambda: False, 3.0, sleep=clock.sleep, clock=lambda: clock.now)
    assert clock.pauses[0] < 0.01
    assert max(clock.pauses) == 0.1

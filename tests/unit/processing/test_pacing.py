from balsam.processing.pacing import Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_first_call_may_be_made_at_once():
    assert Pace(Clock()).wait_sec == 0


def test_the_pause_grows_with_each_failure_up_to_a_bound():
    pace = Pace(Clock())
    waits = []
    for _ in range(30):
        pace.failed()
        waits.append(pace.wait_sec)
    assert pace.has_failed
    assert waits[0] < 0.2
    assert waits[4] > waits[0] * 4
    assert max(waits) <= 25


def test_a_success_ends_the_pause():
    pace = Pace(Clock())
    pace.failed()
    pace.succeeded()
    assert pace.wait_sec == 0 and not pace.has_failed


def test_the_pause_passes_with_time():
    clock = Clock()
    pace = Pace(clock)
    pace.succeeded(pause_sec=2.0)
    clock.now += 1.5
    assert pace.wait_sec == 0.5
    clock.now += 1.5
    assert pace.wait_sec == 0

"""How many jobs are kept queued at a worker."""

from balsam.launcher.pacing import Pacing, report_delay_sec


def test_starved_worker_gets_twice_as_many_each_time() -> None:
    pacing = Pacing()
    asked = [pacing.wanted(0, True, now=0.0) for _ in range(4)]
    assert asked == [8, 16, 32, 64]


def test_blocked_worker_gets_nothing() -> None:
    pacing = Pacing()
    pacing.is_blocked = True
    assert pacing.wanted(0, True, now=0.0) == 0


def test_worker_with_long_jobs_is_not_fed_ahead() -> None:
    assert Pacing().wanted(0, False, now=0.0) == 0


def test_worker_with_short_jobs_keeps_half_a_second_of_them() -> None:
    pacing = Pacing()
    pacing.note_starts(1000, now=0.0)
    assert pacing.wanted(100, False, now=0.5) == 400
    assert pacing.wanted(400, False, now=0.5) == 0


def test_rate_is_forgotten_after_a_second() -> None:
    pacing = Pacing()
    pacing.note_starts(1000, now=0.0)
    assert pacing.wanted(0, False, now=1.5) == 0


def test_few_results_are_reported_at_once_and_many_are_gathered() -> None:
    assert report_delay_sec(1) == 0
    assert report_delay_sec(100) > 0

"""When a launcher with nothing to run leaves."""

import pytest

from balsam.launcher.leaving import Leaving
from balsam.launcher.options import LauncherOptions
from balsam.schemas.sessions import Outlook


class Clock:
    """A clock that stands still until it is told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def outlook(**counts: int) -> Outlook:
    return Outlook(**{"runnable": 0, "processable": 0, "held": 0, "unfit": 0, "waiting": 0, **counts})


@pytest.mark.parametrize("counts", [{}, {"unfit": 3}, {"waiting": 2}, {"held": 1}])
def test_leaves_at_once_when_nothing_can_come_up_for_it(counts: dict[str, int]) -> None:
    assert Leaving(LauncherOptions(mode="serial"), Clock()).should_leave(outlook(**counts))


def test_stays_for_children_of_jobs_that_others_run_but_not_for_ever() -> None:
    clock = Clock()
    leaving = Leaving(LauncherOptions(mode="serial", idle_sec=60), clock)
    left = outlook(held=1, waiting=1)
    assert not leaving.should_leave(left)
    clock.now = 61
    assert leaving.should_leave(left)


def test_stays_for_a_job_that_another_prepares_but_not_for_ever() -> None:
    clock = Clock()
    leaving = Leaving(LauncherOptions(mode="serial", idle_sec=60), clock)
    left = outlook(held=1, in_other_steps=1)
    assert not leaving.should_leave(left)
    clock.now = 61
    assert leaving.should_leave(left)


def test_change_renews_its_patience() -> None:
    clock = Clock()
    leaving = Leaving(LauncherOptions(mode="serial", idle_sec=60), clock)
    clock.now = 59
    leaving.note_change()
    clock.now = 100
    assert not leaving.should_leave(outlook(held=1, waiting=1))


def test_stays_for_hooks_it_will_run_itself() -> None:
    clock = Clock()
    leaving = Leaving(LauncherOptions(mode="serial", num_transition_threads=1), clock)
    clock.now = 1e6
    assert not leaving.should_leave(outlook(processable=1))


def test_leaves_hooks_that_nobody_runs_after_its_patience() -> None:
    clock = Clock()
    leaving = Leaving(LauncherOptions(mode="serial", num_transition_threads=0), clock)
    clock.now = 61
    assert leaving.should_leave(outlook(processable=1))


def test_persistent_launcher_never_leaves() -> None:
    assert not Leaving(LauncherOptions(mode="serial", persistent=True), Clock()).should_leave(outlook())

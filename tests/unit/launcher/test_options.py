"""What a launcher is asked to do."""

import pytest

from balsam.launcher.options import LauncherOptions


@pytest.mark.parametrize(("limit_min", "grace_sec"), [(None, 8.0), (60.0, 8.0), (0.2, 3.0), (0.04, 0.6)])
def test_grace_leaves_most_of_a_short_time_limit_to_jobs(limit_min: float | None, grace_sec: float) -> None:
    options = LauncherOptions(mode="serial", time_limit_min=limit_min)
    assert options.grace_sec == pytest.approx(grace_sec)

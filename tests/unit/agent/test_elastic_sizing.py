"""How much the elastic queue asks for."""

from dataclasses import replace

import pytest

from balsam.agent.elastic_sizing import Load, Size, size_of
from balsam.config.site_settings import ElasticQueueSettings
from balsam.platform.scheduler.contract import BackfillWindow

FIXED = ElasticQueueSettings(
    use_backfill=False,
    min_num_nodes=2,
    max_num_nodes=10,
    min_wall_time_min=30,
    max_wall_time_min=60,
    wall_time_pad_min=5,
    max_queued_jobs=3,
)
FILLING = replace(FIXED, use_backfill=True)


@pytest.mark.parametrize(
    ("load", "size"),
    [
        (Load(runnable=0), None),
        (Load(runnable=1), Size(2, 55)),
        (Load(runnable=5), Size(5, 55)),
        (Load(runnable=4.25), Size(5, 55)),
        (Load(runnable=100), Size(10, 55)),
        (Load(runnable=5, reserved=5), None),
        (Load(runnable=5, reserved=3), Size(2, 55)),
        (Load(runnable=5, reserved=5, running=5.0), Size(5, 55)),
        (Load(runnable=5, reserved=2, running=9.0), Size(5, 55)),
        (Load(runnable=5, num_live=2), Size(5, 55)),
        (Load(runnable=5, num_live=3), None),
        (Load(runnable=0.1, smallest=8), Size(8, 55)),
    ],
)
def test_nodes_are_asked_for_that_the_work_lacks(load: Load, size: Size | None):
    assert size_of(FIXED, load) == size


@pytest.mark.parametrize(
    ("windows", "size"),
    [
        ([], None),
        ([(1, 60)], None),
        ([(10, 29)], None),
        ([(3, 30)], Size(3, 25)),
        ([(8, 40), (2, 60)], Size(5, 35)),
        ([(4, 600)], Size(4, 55)),
    ],
)
def test_backfill_takes_the_largest_window_within_the_limits(
    windows: list[tuple[int, int]], size: Size | None
):
    found = [BackfillWindow(nodes, minutes) for nodes, minutes in windows]
    assert size_of(FILLING, Load(runnable=5), found) == size


def test_window_that_no_job_fits_into_is_left():
    assert size_of(FILLING, Load(runnable=6, smallest=6), [BackfillWindow(5, 60)]) is None

"""What a site refuses before it asks its batch system."""

from dataclasses import replace

import pytest

from balsam.agent.site_queue import refusal
from balsam.config.site_settings import QueueLimit, SchedulerSettings
from tests.unit.agent.batch_infos import batch_info

RULES = SchedulerSettings(
    allowed_queues={"q": QueueLimit(max_nodes=4, max_walltime=60)},
    allowed_projects=("mine",),
    optional_batch_job_params={"shout": "no"},
)
FINE = replace(batch_info(), queue="q", project="mine", num_nodes=4, wall_time_min=60, optional_params={})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"optional_params": {"shout": "yes", "asked_by": "elastic queue"}}, ""),
        ({"project": "theirs"}, "projects mine, not theirs"),
        ({"queue": "p"}, "queues q, not p"),
        ({"num_nodes": 5}, "5 nodes are more than the 4"),
        ({"wall_time_min": 61}, "61 min are more than the 60"),
        ({"optional_params": {"shoot": "yes"}}, "no parameter shoot"),
    ],
)
def test_batch_job_is_refused_with_the_reason(changes: dict[str, object], told: str):
    found = refusal(replace(FINE, **changes), RULES)
    assert told in found and bool(found) == bool(told)


def test_site_that_says_nothing_allows_all():
    assert refusal(replace(FINE, project="any", queue="other", num_nodes=999), SchedulerSettings()) == ""

"""What a site refuses of a batch job, in the words that people see wherever they ask for it."""

from dataclasses import replace

import pytest

from balsam.schemas.batch_jobs import BatchJobRequest
from balsam.schemas.batch_limits import ASKED_BY, ASKED_QUEUE, BatchLimits

LIMITS = BatchLimits(
    allowed_queues={"q": {"max_nodes": 4, "max_walltime": 60}, "any size": {}},
    allowed_projects=["mine"],
    optional_batch_job_params={"shout": "no"},
)
FINE = BatchJobRequest(scheduler="", project="mine", queue="q", num_nodes=4, wall_time_min=60, job_mode="mpi")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"queue": "any size", "num_nodes": 9999}, ""),
        ({"optional_params": {"shout": "yes", ASKED_BY: "elastic queue", ASKED_QUEUE: "q"}}, ""),
        ({"project": "theirs"}, "project 'theirs'. It knows: mine. See allowed_projects"),
        ({"queue": "p"}, "queue 'p'. It knows: q, any size. See allowed_queues"),
        ({"num_nodes": 5}, "5 nodes are more than the 4"),
        ({"wall_time_min": 61}, "61 minutes are more than the 60"),
        ({"optional_params": {"shoot": "yes"}}, "no parameter shoot"),
    ],
)
def test_batch_job_is_refused_with_the_reason(changes: dict[str, object], told: str):
    found = LIMITS.refusal(replace(FINE, **changes))
    assert told in found and bool(found) == bool(told)


def test_what_is_not_limited_is_allowed():
    other = replace(FINE, project="any", queue="other", num_nodes=999, optional_params={"x": "y"})
    assert BatchLimits().refusal(other) == ""
    assert "parameter" in BatchLimits(allowed_projects=["any"]).refusal(other)
    assert BatchLimits(allowed_projects=["any"]).refusal(replace(other, optional_params={})) == ""

"""Graphs with more paths than anybody could walk: each job is visited once."""

import pytest

from balsam.core.job_tree import list_tree
from balsam.core.listings import JobFilter
from balsam.core.models import BalsamJob
from balsam.exceptions import CycleError
from balsam.launcher import dag

pytestmark = pytest.mark.usefixtures("db")

#: Twice as many paths with each rung: 2 ** 60.
RUNGS = 60


@pytest.fixture
def ladder() -> list[BalsamJob]:
    """A chain of diamonds, from the first job to the last."""
    jobs = [BalsamJob(name="top")]
    for rung in range(RUNGS):
        left, right, joint = (BalsamJob(name=f"{side}{rung}") for side in ("left", "right", "joint"))
        left.set_parents([jobs[-1]])
        right.set_parents([jobs[-1]])
        joint.set_parents([left, right])
        jobs += [left, right, joint]
    return BalsamJob.objects.bulk_create(jobs)


def test_whole_ladder_is_killed(ladder: list[BalsamJob]):
    assert len(dag.kill(ladder[0])) == len(ladder)


def test_tree_has_a_line_for_each_job(ladder: list[BalsamJob]):
    lines, left_out = list_tree(JobFilter(), 1000)
    assert (len(lines), left_out) == (len(ladder), 0)


def test_edge_from_the_end_to_the_start_is_refused(ladder: list[BalsamJob]):
    with pytest.raises(CycleError):
        dag.add_dependency(ladder[-1], ladder[0])
    assert not dag.detect_circular(ladder[0])

"""Large graphs: what an operation asks of the database does not grow with what is not its business.

Statements are counted, not seconds. The sizes here are for every run; ten times as many are a benchmark's.
"""

from collections.abc import Callable
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from balsam.core import dependencies, sql
from balsam.core.invariants import violations
from balsam.core.models import BalsamJob
from balsam.exceptions import CycleError
from balsam.launcher import dag
from tests.jobs import add_app, add_job, add_jobs, claim, finish, open_session, run_all

pytestmark = pytest.mark.usefixtures("db")

DEPTH = 1_000
CHILDREN = 5_000


def statements(action: Callable[[], object]) -> int:
    """Count the statements an action runs."""
    with CaptureQueriesContext(connection) as captured:
        action()
    return len(captured)


def add_chain(length: int) -> list[BalsamJob]:
    jobs = add_jobs(length)
    dependencies.add_edges([(parent.pk, child.pk) for parent, child in pairwise(jobs)])
    return jobs


def add_family(size: int) -> BalsamJob:
    parent = add_job()
    children = [BalsamJob(name=f"child{i}", application="true", parents=[parent]) for i in range(size)]
    BalsamJob.objects.bulk_create(children)
    return parent


def states() -> dict[str, int]:
    rows = list(BalsamJob.objects.values_list("state", flat=True))
    return {state: rows.count(state) for state in set(rows)}


def test_a_deep_chain_is_killed_by_few_statements():
    jobs = add_chain(DEPTH)

    assert statements(lambda: dag.kill(jobs[0])) < 20
    assert states() == {"USER_KILLED": DEPTH}


def test_a_failure_goes_down_a_deep_chain():
    jobs = add_chain(DEPTH)
    jobs[0].update_state("FAILED")

    assert states() == {"FAILED": DEPTH}
    assert violations() == []


def test_a_deep_chain_runs_to_its_end():
    add_chain(50)
    run_all()

    assert states() == {"JOB_FINISHED": 50}


def test_an_edge_costs_the_same_at_any_depth():
    jobs = add_jobs(60)
    costs = [
        statements(lambda edge=edge: dag.add_dependency(edge[0].pk, edge[1].pk)) for edge in pairwise(jobs)
    ]
    assert len(set(costs)) == 1

    more = add_jobs(60)
    costs = [
        statements(lambda edge=edge: dag.add_dependency(edge[0].pk, edge[1].pk))
        for edge in reversed(list(pairwise(more)))
    ]
    assert len(set(costs)) == 1


def test_a_cycle_through_a_deep_chain_is_found():
    jobs = add_chain(DEPTH)
    with pytest.raises(CycleError):
        dag.add_dependency(jobs[-1], jobs[0])


@pytest.mark.parametrize(("end", "expected"), [("JOB_FINISHED", "PREPROCESSED"), ("FAILED", "FAILED")])
def test_the_end_of_a_parent_of_many_costs_few_statements(end: str, expected: str):
    parent = add_family(CHILDREN)

    assert statements(lambda: parent.update_state(end)) < 20
    assert states()[expected] >= CHILDREN
    assert violations() == []


def test_a_parent_of_many_is_deleted_by_few_statements():
    parent = add_family(CHILDREN)

    assert statements(parent.delete) < 20
    assert states() == {"FAILED": CHILDREN}


def test_a_child_of_many_waits_for_the_last():
    add_app()
    parents = add_jobs(300)
    child = add_job(*parents)
    session = open_session()
    costs = [statements(lambda: finish(session, claim(session, 50))) for _ in range(6)]

    assert costs[0] == costs[4]
    child.refresh_from_db()
    assert (child.state, child.pending_parents) == ("PREPROCESSED", 0)


def test_what_is_finished_costs_a_claim_nothing():
    add_jobs(2_000)
    run_all()
    add_jobs(500)
    bounds = {
        "workflow": "",
        "site_id": 1,
        "tags": "{}",
        "max_nodes": 1,
        "max_wall_time_min": None,
        "serial_only": False,
        "exclude": "{}",
        "long_first": False,
    }
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE core_balsamjob")
        cursor.execute(
            "EXPLAIN " + sql.statement("claim_jobs"), {**bounds, "session_id": open_session(), "limit": 10}
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "Index Scan using runnable_jobs on core_balsamjob" in plan
    assert "Seq Scan on core_balsamjob" not in plan
    assert "Sort Key: core_balsamjob" not in plan, "the index has the order"

"""Jobs that wait cost nothing until a parent ends, and then only its own children do."""

import json

import pytest
from django.db import connection

from balsam.core import claims, sql
from balsam.core.models import BalsamJob, JobEvent
from balsam.schemas.sessions import OutlookRequest, StepClaimRequest
from tests.jobs import add_app, add_job, claim, finish, open_session, state_of

pytestmark = pytest.mark.usefixtures("db")

#: More than any batch of claims or steps.
MANY = 2500


@pytest.fixture
def crowd() -> BalsamJob:
    """Many jobs that wait for a job which does not finish."""
    gate = add_job(name="gate", num_nodes=900)
    waiting = [BalsamJob(name=f"w{number}", application="true") for number in range(MANY)]
    for job in waiting:
        job.set_parents([gate])
    BalsamJob.objects.bulk_create(waiting)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return gate


def scanned_tables(name: str, **params: object) -> set[str]:
    """Tables that a query of `balsam.core.sql` reads as a whole."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql.statement(name)}", params)
        (plan,) = cursor.fetchone()
    return set(_scans((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))


def _scans(node: dict[str, object]) -> list[str]:
    here = [str(node["Relation Name"])] if node["Node Type"] == "Seq Scan" else []
    children = node.get("Plans", [])
    assert isinstance(children, list)
    return here + [name for child in children for name in _scans(child)]


def test_nobody_locks_moves_or_records_jobs_that_wait(crowd: BalsamJob):
    session = open_session()
    before = JobEvent.objects.count()
    for _ in range(3):
        assert claims.claim_steps(StepClaimRequest(session_id=session, limit=1000)) == []
        assert claim(session, max_nodes=1) == []
        assert claims.outlook(OutlookRequest(max_nodes=1)).waiting == MANY
    assert JobEvent.objects.count() == before
    assert not BalsamJob.objects.exclude(lock="").exists()


def test_jobs_are_processed_however_many_wait_before_them(crowd: BalsamJob):
    add_app("hooked", preprocess="/bin/true")
    late = add_job(application="hooked", name="late")
    (step,) = claims.claim_steps(StepClaimRequest(session_id=open_session(), limit=1000))
    assert step.job_id == str(late.pk)


def test_end_of_a_parent_reads_its_own_children_only(crowd: BalsamJob):
    parent = add_job(name="parent")
    child = add_job(parent, name="child")
    ids = [str(parent.pk)]
    assert scanned_tables("waiting_children", ids=ids) == set()
    assert scanned_tables("count_parents", ids=[str(child.pk)]) == set()
    session = open_session()
    finish(session, claim(session, max_nodes=1))
    assert state_of(child) == "PREPROCESSED"
    assert BalsamJob.objects.filter(state="AWAITING_PARENTS").count() == MANY


def test_end_of_a_parent_releases_all_its_children_at_once(crowd: BalsamJob):
    session = open_session()
    reply = finish(session, claim(session))
    assert reply.released == MANY
    assert not BalsamJob.objects.filter(state="AWAITING_PARENTS").exists()

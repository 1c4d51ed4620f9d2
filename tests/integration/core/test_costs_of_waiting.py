"""Jobs that wait cost nothing until a parent ends, and then only its own children do."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from balsam.api import App, Job, Site
from balsam.core import claims, sql, transitions
from balsam.core.models import BalsamJob, JobEvent
from balsam.core.transfers import claim_transfers
from balsam.schemas.sessions import OutlookRequest, StepClaimRequest
from balsam.schemas.transfers import TransferClaimRequest, TransferResult, TransferSpec
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


def rows_read(name: str, **params: object) -> dict[str, float]:
    """Run a query of `balsam.core.sql`; return how many rows of each table it has looked at."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.statement(name)}", params)
        (plan,) = cursor.fetchone()
        transaction.set_rollback(True)
    counts: dict[str, float] = {}
    _count((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"], counts)
    return counts


def _count(node: dict[str, Any], counts: dict[str, float]) -> None:
    if "Scan" in node["Node Type"] and "Relation Name" in node:
        table = node["Relation Name"]
        seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        counts[table] = counts.get(table, 0) + seen * node["Actual Loops"]
    for child in node.get("Plans", []):
        _count(child, counts)


def test_transfers_cost_what_is_to_be_moved_however_many_were(db: Path):
    """The planner, which knows little of a table that grows, is not left to choose where to begin."""
    with connection.cursor() as cursor:  # it is to know nothing of these, nor that they are small yet
        cursor.execute("ALTER TABLE core_transferitem SET (autovacuum_enabled = false)")
        cursor.execute("ALTER TABLE core_balsamjob SET (autovacuum_enabled = false)")
    place = Site.objects.create("laptop", "/laptop")
    place.transfer_locations = {"store": "local:"}
    place.save()
    slots = {
        "data": {"direction": "in", "local_path": "a"},
        "result": {"direction": "out", "local_path": "b"},
    }
    app = App.objects.create(site_id=place.id, name="Sum", command_template="true", transfers=slots)
    session = open_session()

    def add(name: str, count: int) -> list[TransferSpec]:
        given = {"data": "store:/a", "result": "store:/b"}
        Job.objects.bulk_create([Job(f"{name}/{n}", app.id, transfers=given) for n in range(count)])
        request = TransferClaimRequest(session_id=session, limit=count, site_id=place.id)
        return list(claim_transfers(request).items)

    done = [TransferResult(item_id=s.item_id, attempt=s.attempt, state="done") for s in add("old", 400)]
    assert transitions.report_transfers(session, done).applied == 400
    ids = sql.array([spec.job_id for spec in add("new", 10)])
    transitions.free_transfers(session)
    whose = {"session_id": session, "site_id": place.id, "workflow": "", "tags": "{}", "limit": 100}
    claiming, locking = rows_read("claim_transfers", **whose), rows_read("lock_jobs", ids=ids)
    assert claiming["core_balsamjob"] == 10
    assert claiming["core_transferitem"] == 20, "found, and written"
    assert locking["core_transferitem"] == 20, "those of the ten jobs, in and out"

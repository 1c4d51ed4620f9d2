"""Pages by key, counts by a field, and what both ask of the database when there are many jobs."""

from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from balsam.api import Job
from balsam.client import Client, resource_client
from balsam.core import resources
from balsam.core.models import JobEvent, QueuedLaunch, TransferItem
from balsam.exceptions import UsageError
from balsam.schemas.resources import RESOURCES, Query
from tests.benchmarks.filling import fill
from tests.jobs import add_job, add_jobs, open_session

pytestmark = pytest.mark.usefixtures("db")

OWNER = None
ORDERS = [
    (name, sign + order) for name, table in RESOURCES.items() for order in table.orders for sign in ("", "-")
]


def pages(resource: str, order: str, size: int) -> list[int]:
    """Return the ids on all pages, one after another."""
    query, found = Query(order_by=order, limit=size), []
    while True:
        page = resources.list_page(OWNER, resource, query)
        found += [record["id"] for record in page.results]
        if not page.next:
            return found
        assert len(page.results) == size
        query = replace(query, after=page.next)


def fill_all() -> None:
    """Make some of every resource: values that are equal, and some that are null."""
    site = fill(20)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_balsamjob SET last_update = '2026-01-01Z' WHERE number <= 4")
    for number in range(7):
        started = f"2026-01-0{number + 1}T00:00:00Z" if number % 2 else None
        QueuedLaunch.objects.create(site_id=site, started=started, nodes=1)
        job = add_job(name=f"job{number}")
        TransferItem.objects.create(
            job=job, direction="in", local_path="a", remote_path="/a", state="pending"
        )
        open_session()


@pytest.mark.parametrize(("resource", "order"), ORDERS)
def test_pages_hold_every_object_once_and_in_order(resource: str, order: str):
    fill_all()
    whole = [record["id"] for record in resources.list_page(OWNER, resource, Query(order_by=order)).results]

    assert len(whole) >= 2 and len(set(whole)) == len(whole)
    for size in (1, 3, len(whole), len(whole) + 1):
        assert pages(resource, order, size) == whole


def test_a_page_goes_on_where_the_last_ended_whatever_happened_meanwhile():
    jobs = add_jobs(6)
    first = resources.list_page(OWNER, "job", Query(limit=2))
    jobs[0].delete()
    jobs[1].delete()
    add_jobs(1)
    rest = resources.list_page(OWNER, "job", Query(after=first.next, counted=False))

    assert [record["id"] for record in rest.results] == [*range(jobs[2].number, jobs[2].number + 5)]
    assert (first.count, rest.count, rest.next) == (6, None, "")


@pytest.mark.parametrize("after", ["x", "WzFd", "WyJcdTAwMDAiLCAxXQ==", "WzEsICJhIl0=", "é", "bnVsbA=="])
def test_a_place_that_is_none_is_refused(after: str):
    for order in ("id", "last_update", "workdir"):
        with pytest.raises(UsageError, match="`next` of a page"):
            resources.list_page(OWNER, "job", Query(after=after, order_by=order))


def test_queries_read_page_by_page_without_counting(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(resource_client, "_PAGE", 4)
    jobs = add_jobs(10)
    numbers = [job.number for job in jobs]
    with CaptureQueriesContext(connection) as captured:
        assert [job.id for job in Job.objects.all()] == numbers

    text = "\n".join(query["sql"] for query in captured)
    assert text.count('FROM "core_balsamjob"') == 3
    assert "COUNT(" not in text and "OFFSET" not in text
    assert [job.id for job in Job.objects.all()[1:8]] == numbers[1:8]
    assert [job.id for job in Job.objects.order_by("-id")[3:]] == numbers[::-1][3:]
    assert len(Job.objects.filter(state="PREPROCESSED")[:4]) == 4


GROUPS = [(name, group) for name, table in RESOURCES.items() for group in table.groups]


@pytest.mark.parametrize(("resource", "group"), GROUPS)
def test_objects_are_counted_by_each_group(resource: str, group: str):
    fill_all()
    records = resources.list_page(OWNER, resource, Query()).results
    values = ["" if record[group] is None else str(record[group]) for record in records]

    counts = resources.count_by(OWNER, resource, Query(), group)
    assert counts == {value: values.count(value) for value in values}


def test_a_group_that_is_none_is_refused_with_those_there_are():
    with pytest.raises(UsageError, match="state, site_id, app_id"):
        resources.count_by(OWNER, "job", Query(), "workdir")


def test_wildcards_in_a_text_stand_for_themselves():
    add_job(workdir="a%b")
    add_job(workdir="axb")
    add_job(workdir="a_b\\")

    def found(text: str) -> list[str]:
        query = Query(filters={"workdir__contains": text})
        return [record["workdir"] for record in resources.list_page(OWNER, "job", query).results]

    assert found("%") == ["a%b"] and found("_") == ["a_b\\"] and found("\\") == ["a_b\\"]


def test_a_tag_without_a_value_is_refused():
    with pytest.raises(UsageError, match="KEY:VALUE"):
        resources.list_page(OWNER, "job", Query(filters={"tags": ["batch"]}))


def plan(call: Any) -> str:
    """Return the plans of the queries on jobs and events that a call makes."""
    with CaptureQueriesContext(connection) as captured:
        call()
    found = []
    with connection.cursor() as cursor:
        for query in captured:
            if "core_balsamjob" in query["sql"] or "core_jobevent" in query["sql"]:
                cursor.execute("EXPLAIN " + query["sql"])
                found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def test_many_jobs_are_listed_and_counted_by_indexes():
    site = fill(30_000)

    def page(resource: str, order: str, **filters: Any) -> Any:
        query = Query(filters=filters, order_by=order, limit=20, counted=False)
        return lambda: resources.list_page(OWNER, resource, query)

    served = {
        "jobs_by_state": [
            lambda: resources.count_by(OWNER, "job", Query(filters={"site_id": [site]}), "state"),
            page("job", "id", site_id=[site], state=["FAILED"]),
        ],
        "jobs_by_update": [page("job", "-last_update")],
        "tagged_jobs": [page("job", "id", tags=["batch:3"]), page("event", "-timestamp", tags=["batch:3"])],
        "events_by_time": [page("event", "-timestamp")],
        "rare_events": [page("event", "-timestamp", to_state="RUN_ERROR")],
        "core_jobevent_pkey": [page("event", "id", after_id=10**9)],
        "events_of_job": [page("event", "-timestamp", job_id=[17])],
    }
    for index, calls in served.items():
        for call in calls:
            found = plan(call)
            assert index in found and "Seq Scan on core_jobevent" not in found, f"{index}:\n{found}"


def test_events_after_one_wait_for_earlier_ones_to_be_written(db: Any):
    add_job()
    last = JobEvent.objects.order_by("-pk")[0].pk

    def numbers_after() -> list[int]:
        query = Query(filters={"after_id": last}, order_by="id")
        return [record["id"] for record in resources.list_page(OWNER, "event", query).results]

    params = connection.get_connection_params()
    other = psycopg2.connect(**params)
    try:
        with other.cursor() as cursor:  # has a number, and has not committed
            cursor.execute(
                "INSERT INTO core_jobevent (job_id, from_state, to_state) "
                "SELECT job_id, state, state FROM core_balsamjob RETURNING id"
            )
            (early,) = cursor.fetchone()
        with transaction.atomic():
            add_job()
        assert numbers_after() == []
        other.commit()
        found = numbers_after()
        assert found[0] == early and len(found) == 2
    finally:
        other.close()


def test_client_asks_once_for_what_fits_on_a_page():
    add_jobs(3)
    asked = []

    class Counting:
        def call(self, operation: str, *args: Any, **kwargs: Any) -> Any:
            asked.append(operation)
            return resources.list_page(*args)

    client = Client(Counting())  # type: ignore[arg-type]
    assert len(list(client.read_resources("job", Query()))) == 3
    assert asked == ["resources.list"]

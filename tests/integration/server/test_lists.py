"""Lists over HTTP: page by page, with more filters than an address holds, and events as they happen."""

import threading
import time
from typing import Any

import httpx
import pytest
from django.db import connection

from balsam.api import App, EventLog, Job, Site
from balsam.client import resource_client
from balsam.client.http import Http
from balsam.core.models import BalsamJob
from balsam.exceptions import UsageError
from balsam.states import JobState as S
from tests.jobs import claim, open_session, report


@pytest.fixture
def app(alice: Http) -> App:
    site = Site.objects.create("theta", "/sites/theta")
    return App.objects.create(site_id=site.id, name="Hello", command_template="true")


def make_jobs(app: App, count: int) -> list[Job]:
    return Job.objects.bulk_create([Job(f"w/{n}", app.id) for n in range(count)])


def finish_all(app: App) -> None:
    session = open_session()
    report(session, claim(session, 1000, site_id=app.site_id), S.RUNNING, S.RUN_DONE)


def finish_soon(app: App) -> threading.Timer:
    """Finish all jobs in a moment, in a thread of their own."""

    def finish() -> None:
        try:
            finish_all(app)
        finally:
            connection.close()

    thread = threading.Timer(0.3, finish)
    thread.start()
    return thread


def test_pages_go_on_where_the_last_one_ended(alice: Http, app: App, monkeypatch: pytest.MonkeyPatch):
    jobs = make_jobs(app, 7)
    monkeypatch.setattr(resource_client, "_PAGE", 3)
    assert list(Job.objects.order_by("-id")) == jobs[::-1]

    first = alice.request("GET", "/jobs/", params={"limit": 5})
    rest = alice.request("GET", "/jobs/", params={"limit": 5, "after": first["next"], "counted": "false"})
    assert (first["count"], rest["count"], rest["next"]) == (7, None, "")
    assert [job["id"] for job in first["results"] + rest["results"]] == [job.id for job in jobs]


def test_filters_may_be_longer_than_an_address(alice: Http, app: App):
    jobs = make_jobs(app, 3)
    many = [*range(10**6, 10**6 + 20_000), *(job.id for job in jobs)]
    query = Job.objects.filter(id=many)
    assert list(query) == jobs and query.count() == 3
    asked = {"filters": {"id": many}}
    assert alice.request("POST", "/jobs/counts", params={"by": "state"}, json=asked) == {"PREPROCESSED": 3}
    assert query.update(num_nodes=2) == 3
    assert {job.num_nodes for job in Job.objects.all()} == {2}
    assert query.delete() == 3


def test_queries_that_cannot_be_are_refused(alice: Http):
    bodies: list[dict[str, Any]] = [
        {"filter": {}}, {"filters": []}, {"limit": -1}, {"limit": "x"}, {"limit": 10**6}, {"ordering": 3},
        {"filters": {"nme": "x"}}, {"after": "x"}, {"counted": "yes"}, {"offset": 10**30},
    ]  # fmt: skip
    for body in bodies:
        with pytest.raises(UsageError):
            alice.request("POST", "/jobs/query", json=body)
    addresses = ["counted=maybe", "limit=1000000", "offset=-1", "by=state", "after=x", "tags=x", "nme=x"]
    for address in addresses:
        with pytest.raises(UsageError):
            alice.request("GET", f"/jobs/?{address}")


def test_events_are_told_when_they_happen(alice: Http, app: App):
    make_jobs(app, 2)
    last = EventLog.objects.order_by("-id").first().id
    params: dict[str, Any] = {"after_id": last, "ordering": "id", "wait_sec": 60}

    thread = finish_soon(app)
    seen: list[str] = []
    until = time.monotonic() + 60
    while len(seen) < 6 and time.monotonic() < until:
        events = alice.request("GET", "/events/", params=params)["results"]
        seen += [event["to_state"] for event in events]
        params["after_id"] = events[-1]["id"] if events else params["after_id"]
    thread.join()
    assert sorted(seen) == sorted(["RUNNING", "RUN_DONE", "JOB_FINISHED"] * 2)
    assert alice.request("GET", "/events/", params={**params, "wait_sec": 0})["results"] == []


def test_waiting_asks_for_less_than_every_end(alice: Http, app: App, monkeypatch: pytest.MonkeyPatch):
    jobs = make_jobs(app, 30)
    asked: list[str] = []
    send = httpx.Client.request

    def counting(self: httpx.Client, method: str, url: Any, **options: Any) -> httpx.Response:
        asked.append(str(url))
        return send(self, method, url, **options)

    monkeypatch.setattr(httpx.Client, "request", counting)

    thread = finish_soon(app)
    done, left = Job.objects.wait(jobs, timeout=60, poll_interval=30)
    thread.join()
    assert len(done) == 30 and left == [] and BalsamJob.objects.filter(state="JOB_FINISHED").count() == 30
    assert len(asked) < 15, asked

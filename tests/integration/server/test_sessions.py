"""Sessions over HTTP: the paths, bodies and replies that programs of others know, and the owner's alone."""

import pytest

from balsam.api import App, Job, Session
from balsam.api.connection import use_client
from balsam.client import Client
from balsam.client.http import Http
from balsam.config import ClientSettings
from balsam.exceptions import NotFoundError, RefusedError, UsageError
from tests.integration.server.test_rest import make_app, new_job
from tests.serving import log_in


def test_session_over_http_takes_jobs_and_tells_of_their_runs(alice: Http):
    app = make_app()
    Job.objects.bulk_create([new_job(app, f"w/{n}", tags={"n": str(n % 2)}) for n in range(4)])
    session = Session.objects.create(app.site_id)
    jobs = session.acquire_jobs(10, filter_tags={"n": "1"}, max_aggregate_nodes=5.0)
    assert [job.workdir for job in jobs] == ["w/1", "w/3"]
    session.tick()
    for job in jobs:
        job.state = "RUNNING"
    assert Job.objects.bulk_update(jobs) == 2
    jobs[0].state = "RUN_DONE"
    jobs[0].save()
    assert jobs[0].state == "JOB_FINISHED"
    session.delete()
    assert Job.objects.get(jobs[1].id).state == "RESTART_READY"
    jobs[1].state = "RUN_DONE"
    with pytest.raises(RefusedError, match="not held"):
        jobs[1].save()


def test_bodies_and_replies_are_those_on_the_wire(alice: Http):
    app = make_app()
    new_job(app, "w").save()
    session = alice.request("POST", "/sessions/", json={"site_id": app.site_id, "batch_job_id": None})
    assert set(session) == {"id", "site_id", "batch_job_id", "heartbeat"}
    place = f"/sessions/{session['id']}"
    body = {
        "max_num_jobs": 990, "max_wall_time_min": 8, "max_nodes_per_job": 2, "max_aggregate_nodes": 2.0,
        "serial_only": False, "sort_by": None, "filter_tags": {}, "states": ["PREPROCESSED", "RESTART_READY"],
        "app_ids": [],
    }  # fmt: skip
    key = {"Idempotency-Key": "once"}
    (job,) = alice.request("POST", place, json=body, headers=key)
    assert (job["workdir"], job["state"]) == ("w", "PREPROCESSED")
    assert alice.request("POST", place, json=body, headers=key) == [job], "its reply may have been lost"
    assert alice.request("POST", place, json=body) == []
    assert alice.request("PUT", place) is None
    started = [{"id": job["id"], "state": "RUNNING", "state_timestamp": "2026-01-01T00:00:00",
                "state_data": {"num_nodes": 1.0}}]  # fmt: skip
    assert alice.request("PATCH", "/jobs/", json=started)["changed"] == [job["id"]]
    for bad in ({}, {"max_num_jobs": 5000}, {"max_num_jobs": 1, "max": 1}):
        with pytest.raises(UsageError):
            alice.request("POST", place, json=bad)
    assert alice.request("DELETE", place) is None
    with pytest.raises(NotFoundError):
        alice.request("PUT", place)


def test_sessions_of_others_do_not_exist(alice: Http, address: str):
    app = make_app()
    new_job(app, "w").save()
    session = Session.objects.create(app.site_id)
    bob = log_in(address, "bob")
    assert bob.request("GET", "/sessions/")["count"] == 0
    for method, body in (("POST", {"max_num_jobs": 1}), ("PUT", None), ("DELETE", None)):
        with pytest.raises(NotFoundError):
            bob.request(method, f"/sessions/{session.id}", json=body)
    with pytest.raises(NotFoundError):
        bob.request("POST", "/sessions/", json={"site_id": app.site_id})
    assert len(session.acquire_jobs(1)) == 1


def test_long_lists_of_ids_go_over_http(alice: Http):
    app = make_app()
    made = Job.objects.bulk_create([new_job(app, f"w/{n}") for n in range(1_100)])
    numbers = [job.id for job in made]
    padded = [*numbers, *range(10**9, 10**9 + 10_000)]
    assert [job.id for job in Job.objects.filter(id=padded)] == numbers
    Job.objects.bulk_refresh(made)
    assert Job.objects.wait(made, timeout=0).not_done == made


def test_login_gives_the_classes_of_its_server(alice: Http):
    app = make_app()
    login = ClientSettings(api_root=alice.address, token=alice.credentials.token())
    use_client(Client())
    assert App.objects.filter(site_id=app.site_id).count() == 0
    classes = login.build_client()
    assert classes.App.objects.get(id=app.id) == app and classes.Job is Job

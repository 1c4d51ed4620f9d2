"""The REST server: logins, owners, errors, and the same API over HTTP as in-process."""

import json
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import connection

from balsam.api import App, BatchJob, EventLog, Job, Site, TransferItem
from balsam.client.http import Http
from balsam.core.models import Account, BalsamJob, Token
from balsam.exceptions import (
    ConflictError,
    InvalidParentsError,
    LoginNeededError,
    NotFoundError,
    RefusedError,
    ServerUnreachable,
    UsageError,
)
from balsam.schemas.resources import RESOURCES
from balsam.states import JobState as S
from tests.commands import run_balsam
from tests.jobs import claim, open_session, report
from tests.logins import logged_in, registered
from tests.serving import PASSWORD, log_in


def make_app(name: str = "theta") -> App:
    site = Site.objects.create(name, f"/sites/{name}")
    return App.objects.create(
        site_id=site.id,
        name="Hello",
        command_template="echo {{ name }}",
        parameters={"name": {"required": True}},
    )


def new_job(app: App, workdir: str = "w", **fields: Any) -> Job:
    return Job(workdir, app.id, parameters={"name": "x"}, **fields)


def test_nothing_is_told_without_a_login(address: str):
    with httpx.Client(base_url=address) as plain:
        for path in ("/sites/", "/apps/", "/jobs/", "/batch-jobs/", "/events/", "/notices", "/auth/tokens"):
            answer = plain.get(path)
            assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), path
        assert plain.get("/auth/how").json() == ["password", "device"]
        assert plain.get("/jobs/", headers={"Authorization": "Bearer balsam_nonsense"}).status_code == 401
        assert plain.get("/openapi.json").status_code == 200
        assert "swagger" in plain.get("/docs").text.lower()


def test_secrets_are_kept_as_hashes_alone(address: str):
    account = Account.objects.get(username=registered(address))
    token = logged_in(address)["access_token"]
    assert account.password_hash.startswith("scrypt$") and PASSWORD not in account.password_hash
    assert token.startswith("balsam_")
    kept = list(Token.objects.filter(login__account=account).values_list("digest", "login__label"))
    assert len(kept) == 2 and token not in json.dumps(kept)


def test_wrong_password_is_refused_at_once_and_guessing_is_held_back(fresh_address: str):
    address = fresh_address
    registered(address, "alice")
    server = Http(address)
    form = {"username": "alice", "password": "wrong"}
    with httpx.Client(base_url=address) as plain:
        codes = [plain.post("/auth/password/login", data=form).status_code for _ in range(12)]
    assert codes[:10] == [401] * 10 and codes[10:] == [429, 429]
    with pytest.raises(ConflictError, match="taken"):
        server.request("POST", "/auth/password/register", json={"username": "alice", "password": PASSWORD})
    for body in ({"username": "x y", "password": PASSWORD}, {"username": "bob", "password": "short"}, {}):
        with pytest.raises(UsageError):
            server.request("POST", "/auth/password/register", json=body)


def test_login_ends_when_it_is_revoked(address: str):
    registered(address)
    form = {"username": "maria", "password": PASSWORD}
    first, second = (
        Http(address, Http(address).request("POST", "/auth/password/login", data=form)["access_token"])
        for _ in range(2)
    )
    logins = second.request("GET", "/auth/tokens")
    assert len(logins) == 2 and "balsam on" in logins[0]["label"]
    second.request("DELETE", f"/auth/tokens/{logins[1]['id']}")
    with pytest.raises(LoginNeededError, match="balsam login"):
        first.request("GET", "/auth/password/me")
    second.request("POST", "/auth/logout")
    with pytest.raises(LoginNeededError):
        second.request("GET", "/auth/password/me")


def test_two_accounts_never_see_each_other(alice: Http, address: str):
    app = make_app()
    (job,) = Job.objects.bulk_create([new_job(app)])
    bob = log_in(address, "bob")
    for path in ("/sites/", "/apps/", "/jobs/", "/batch-jobs/", "/events/"):
        assert bob.request("GET", path) == {"count": 0, "results": [], "next": ""}, path
    for path, number in (("/sites/", app.site_id), ("/apps/", app.id), ("/jobs/", job.id)):
        for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
            with pytest.raises(NotFoundError):
                bob.request(method, f"{path}{number}", **({} if body is None else {"json": body}))
    reply = bob.request("PATCH", "/jobs/", json=[{"id": job.id, "state": "FAILED"}])
    assert reply["changed"] == [] and str(job.id) in reply["refused"]
    assert bob.request("DELETE", "/jobs/", params={"id": job.id})["deleted"] == 0
    with pytest.raises(NotFoundError):
        bob.request("POST", "/jobs/", json=[{"workdir": "w", "app_id": app.id}])
    job.refresh_from_db()
    assert job.state == "PREPROCESSED"


def test_objects_over_http_are_those_of_the_database(alice: Http):
    app = make_app()
    jobs = Job.objects.bulk_create([new_job(app, f"w/{n}", tags={"n": str(n % 2)}) for n in range(6)])
    assert [job.number for job in BalsamJob.objects.order_by("number")] == [job.id for job in jobs]
    child = new_job(app, "child", parent_ids=[jobs[0].id], data={"deep": [1, {"a": None}]})
    child.save()
    assert child.state == "AWAITING_PARENTS" and child.data == {"deep": [1, {"a": None}]}
    assert Job.objects.filter(tags={"n": "1"}, state="PREPROCESSED").count() == 3
    assert [job.workdir for job in Job.objects.order_by("-id")[1:3]] == ["w/5", "w/4"]
    assert Job.objects.filter(state__ne=["PREPROCESSED"]).get() == child
    jobs[1].state = "FAILED"
    jobs[2].tags["new"] = "tag"
    assert Job.objects.bulk_update(jobs) == 2
    assert Job.objects.filter(state="FAILED").update(num_nodes=3) == 1
    assert Job.objects.filter(state="FAILED").delete() == 1
    session = open_session()
    report(session, claim(session, site_id=app.site_id), S.RUNNING, S.RUN_DONE)
    assert Job.objects.filter(state="JOB_FINISHED").count() == 5
    assert EventLog.objects.filter(job_id=[jobs[0].id]).first().to_state == "JOB_FINISHED"
    batch_job = BatchJob.objects.create(
        site_id=app.site_id, num_nodes=1, wall_time_min=5, job_mode="mpi", queue="q", project="p"
    )
    assert BatchJob.objects.get(batch_job.id).state == "pending_submission"


def test_errors_are_the_same_as_in_process(alice: Http):
    app = make_app()
    with pytest.raises(UsageError, match="workdir"):
        new_job(app, "../up").save()
    with pytest.raises(InvalidParentsError, match="no job 99"):
        new_job(app, "w", parent_ids=[99]).save()
    with pytest.raises(ConflictError, match="'theta'"):
        Site.objects.create("theta", "/elsewhere")
    with pytest.raises(UsageError, match="'nme'"):
        alice.request("GET", "/jobs/", params={"nme": "x"})
    with pytest.raises(UsageError, match="filter"):
        alice.request("DELETE", "/jobs/")
    with pytest.raises(UsageError):
        alice.request("GET", "/jobs/", params={"limit": "many"})


def test_request_that_is_sent_again_makes_nothing_twice(alice: Http):
    app = make_app()
    body = [{"workdir": "w", "app_id": app.id, "parameters": {"name": "x"}}]
    headers = {"Idempotency-Key": "once"}
    first = alice.request("POST", "/jobs/", json=body, headers=headers)
    assert alice.request("POST", "/jobs/", json=body, headers=headers) == first
    assert Job.objects.count() == 1
    assert alice.request("POST", "/jobs/", json=body, headers={"Idempotency-Key": "twice"}) != first


def test_waiting_over_http_is_told_of_ends(alice: Http):
    app = make_app()
    jobs = Job.objects.bulk_create([new_job(app, "a"), new_job(app, "b")])

    def finish() -> None:
        try:
            session = open_session()
            report(session, claim(session, site_id=app.site_id), S.RUNNING, S.RUN_DONE)
        finally:
            connection.close()

    thread = threading.Thread(target=finish)
    thread.start()
    done, not_done = Job.objects.wait(jobs, timeout=60, poll_interval=30)
    thread.join()
    assert len(done) == 2 and not_done == []


def test_database_that_was_restarted_is_found_again(alice: Http, db: Path):
    make_app()
    run_balsam("server", "--reset", env={"BALSAM_DB_PATH": str(db)}).check()
    connection.close()
    assert Site.objects.count() == 1


def test_server_that_is_gone_is_said_to_be_after_some_tries():
    pauses: list[float] = []
    server = Http("http://127.0.0.1:9", sleep=pauses.append)
    with pytest.raises(ServerUnreachable, match=r"http://127\.0\.0\.1:9 does not answer"):
        server.request("GET", "/auth/how")
    assert len(pauses) >= 3 and all(0 < pause <= 10 for pause in pauses) and sum(pauses) <= 20
    server.set_patience(False)
    with pytest.raises(ServerUnreachable):
        server.request("GET", "/auth/how")
    server.set_patience(True)
    before = len(pauses)
    with pytest.raises(ServerUnreachable):
        server.request("GET", "/auth/how")
    assert 500 < sum(pauses[before:]) <= 600


def test_oversized_and_endless_requests_are_refused(alice: Http):
    host, port = alice.address.removeprefix("http://").split(":")
    announced = HTTPConnection(host, int(port), timeout=30)
    announced.putrequest("POST", "/jobs/")
    announced.putheader("Content-Length", str(10**12))
    announced.endheaders()
    assert announced.getresponse().status == 413
    announced.close()
    with httpx.Client(base_url=alice.address) as plain:
        assert plain.post("/jobs/", content=iter([b"[]"])).status_code == 411
        assert plain.get("/auth/how").headers["X-Frame-Options"] == "DENY"


def test_interactive_page_knows_every_field(address: str):
    paths = httpx.get(f"{address}/openapi.json").json()["paths"]
    for name, path in (("site", "/sites/"), ("app", "/apps/"), ("job", "/jobs/"), ("event", "/events/")):
        told = {parameter["name"] for parameter in paths[path]["get"]["parameters"]}
        assert set(RESOURCES[name].filters) <= told
    schema = paths["/jobs/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["oneOf"][0]["required"]) == {"workdir", "app_id"}


def test_second_server_is_refused_and_a_stopped_one_said_to_be(address: str, db: Path):
    env = {"BALSAM_DB_PATH": str(db)}
    done = run_balsam("server", "up", env=env)
    assert done.returncode == 7 and address in done.stderr
    assert address in run_balsam("server", "status", env=env).check().stdout
    run_balsam("server", "down", env=env).check()
    assert run_balsam("server", "status", env=env).returncode == 1
    run_balsam("server", "up", "--port", address.rsplit(":")[-1], env=env).check()


@pytest.mark.parametrize("user", ["maria"])
def test_accounts_are_made_and_used_at_the_command_line(address: str, tmp_path: Path, user: str):
    env = {"BALSAM_CLIENT_PATH": str(tmp_path / "client.yml")}
    answers = f"{address}\n{user}\n{PASSWORD}\n{PASSWORD}\n"
    done = run_balsam("register", input=answers, env=env).check()
    assert f"'username': '{user}'" in done.stdout and PASSWORD not in done.output
    began = time.monotonic()
    wrong = run_balsam("login", "--url", address, input=f"{user}\nwrong password\n", env=env)
    assert wrong.returncode == 5 and "wrong" in wrong.stderr and time.monotonic() - began < 30
    run_balsam("login", input=f"{address}\n{user}\n{PASSWORD}\n", env=env).check()
    assert (tmp_path / "client.yml").stat().st_mode & 0o777 == 0o600
    assert "already have a good login" in run_balsam("login", "--url", address, env=env).check().stdout
    assert f"as {user}" in run_balsam("auth", "status", env=env).check().stdout
    assert run_balsam("job", "ls", env=env, cwd=tmp_path).check().stdout.startswith("ID")
    assert "balsam on" in run_balsam("auth", "tokens", env=env).check().stdout
    run_balsam("logout", env=env).check()
    assert run_balsam("auth", "status", env=env).returncode == 5
    mismatch = run_balsam("register", input=f"{address}\nbob\n{PASSWORD}\nother\n", env=env)
    assert mismatch.returncode == 2


def test_transfers_are_read_and_changed_by_their_owner(alice: Http, address: str):
    site = Site.objects.create("theta", "/sites/theta", transfer_locations={"far": "rsync://far"})
    slots = {"data": {"required": True, "direction": "in", "local_path": "in.dat"}}
    app = App.objects.create(site_id=site.id, name="Sum", command_template="true", transfers=slots)
    job = Job.objects.create("w", app.id, transfers={"data": "far:/a"})
    with pytest.raises(UsageError, match="no transfer location"):
        Job.objects.create("x", app.id, transfers={"data": "fra:/a"})
    (item,) = TransferItem.objects.filter(job_id=job.id, state="pending")
    bob = log_in(address, "bob")
    assert bob.request("GET", "/transfers/")["count"] == 0
    assert bob.request("PATCH", "/transfers/", json=[{"id": item.id, "state": "done"}])["refused"]
    active = {"state": "active", "task_id": "globus:7", "transfer_info": {"message": "half"}}
    assert alice.request("PUT", f"/transfers/{item.id}", json=active)["task_id"] == "globus:7"
    assert alice.request("PATCH", "/transfers/", json=[{"id": item.id, "state": "done"}])["changed"]
    job.refresh_from_db()
    assert job.state == "PREPROCESSED"
    with pytest.raises(RefusedError, match="no state of a transfer"):
        alice.request("PUT", f"/transfers/{item.id}", json={"state": "nonsense"})


def test_name_that_is_taken_is_told_at_once(alice: Http, address: str, tmp_path: Path):
    done = run_balsam(
        *("register", "--address", address, "--username", "alice"),
        input=f"{PASSWORD}\n{PASSWORD}\n",
        env={"BALSAM_HOME": str(tmp_path)},
    )
    assert done.returncode != 0 and "alice" in done.stderr and "Registration success" not in done.stdout
    assert Account.objects.count() == 1

"""Logins over HTTP: accounts, scopes, sites, renewal, revocation and limits."""

import concurrent.futures
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db.models.functions import Now

from balsam.core.models import Login, Site, Token
from tests import http
from tests.commands import run_balsam
from tests.logins import bearer, logged_in, registered, renewed
from tests.serving import PASSWORD, leave, served

EVERYTHING = ["read", "submit", "agent", "admin"]


def minted(address: str, **body: Any) -> str:
    """Have maria make a token."""
    token = logged_in(address)["access_token"]
    made = http.post(f"{address}/auth/tokens", json=body, headers=bearer(token))
    assert made.status_code == 201, made.text
    return str(made.json()["access_token"])


def status_of(method: str, url: str, token: str, **options: Any) -> int:
    return http.request(method, url, headers=bearer(token), **options).status_code


def test_account_is_registered_and_a_taken_name_refused(address: str):
    body = {"username": "maria", "password": PASSWORD}
    made = http.post(f"{address}/auth/password/register", json=body)
    assert made.status_code == 201 and set(made.json()) == {"id", "username"}
    again = http.post(f"{address}/auth/password/register", json=body)
    assert again.status_code == 409 and again.json()["error"] == "ConflictError"
    long = http.post(f"{address}/auth/password/register", json={**body, "password": "x" * 2000})
    assert long.status_code == 400


def test_reply_of_a_login_has_all_that_a_client_needs(address: str):
    registered(address)
    reply = logged_in(address)
    assert reply["token_type"] == "bearer" and reply["scope"].split() == EVERYTHING
    assert reply["expires_in"] == 48 * 3600
    assert reply["access_token"] != reply["refresh_token"]
    status = http.get(f"{address}/auth/status", headers=bearer(reply["access_token"])).json()
    assert status["username"] == "maria" and status["scopes"] == EVERYTHING and status["site_id"] is None
    for other in (reply["refresh_token"], reply["access_token"][:-1]):
        assert status_of("GET", f"{address}/jobs/", other) == 401


def test_expired_token_is_refused_with_the_way_to_log_in(address: str):
    registered(address)
    reply = logged_in(address)
    Token.objects.filter(kind="access").update(expires=Now() - timedelta(seconds=1))
    answer = http.get(f"{address}/jobs/", headers=bearer(reply["access_token"]))
    assert answer.status_code == 401 and "balsam login" in answer.json()["detail"]


def test_scopes_say_what_a_login_may_do(address: str):
    registered(address)
    reader = minted(address, scopes=["read"])
    submitter = minted(address, scopes=["submit"])
    site = {"name": "theta", "path": "/theta"}
    assert status_of("GET", f"{address}/sites/", reader) == 200
    assert status_of("POST", f"{address}/sites/", reader, json=site) == 403
    assert status_of("POST", f"{address}/sites/", submitter, json=site) == 201
    assert status_of("GET", f"{address}/sites/", submitter) == 403
    agent = minted(address, scopes=["agent"])
    operation = f"{address}/operations/sessions.list"
    assert [status_of("POST", operation, token, content=b"{}") for token in (agent, reader)] == [200, 403]
    for token in (reader, submitter):
        for method, path in (("GET", "/auth/tokens"), ("POST", "/auth/tokens"), ("DELETE", "/auth/tokens/1")):
            body = {"json": {"scopes": ["read"]}} if method == "POST" else {}
            answer = http.request(method, address + path, headers=bearer(token), **body)
            assert answer.status_code == 403 and "scope admin" in answer.json()["detail"]
        assert status_of("GET", f"{address}/auth/status", token) == 200
        assert status_of("POST", f"{address}/auth/logout", token) == 204
        assert status_of("GET", f"{address}/auth/status", token) == 401


def test_token_that_cannot_be_is_not_made(address: str):
    registered(address)
    headers = bearer(logged_in(address)["access_token"])
    wrong: list[dict[str, Any]] = [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": "read"},
        {"scopes": ["read"], "days": 0},
        {"scopes": ["read"], "days": 1e9},
        {"scopes": ["read"], "site_id": "theta"},
    ]
    for body in wrong:
        answer = http.post(f"{address}/auth/tokens", json=body, headers=headers)
        assert answer.status_code == 400, body
    unknown = http.post(f"{address}/auth/tokens", json={"scopes": ["read"], "site_id": 99}, headers=headers)
    assert unknown.status_code == 404


def test_login_makes_none_that_may_do_more(address: str):
    registered(address)
    admin = minted(address, scopes=["admin", "read"])
    assert status_of("POST", f"{address}/auth/tokens", admin, json={"scopes": ["read"]}) == 201
    assert status_of("POST", f"{address}/auth/tokens", admin, json={"scopes": ["submit"]}) == 403


def test_login_for_one_site_finds_no_other(address: str):
    registered(address)
    everything = logged_in(address)["access_token"]
    sites = [
        http.post(f"{address}/sites/", json={"name": name, "path": f"/{name}"}, headers=bearer(everything))
        for name in ("theta", "cooley")
    ]
    mine, other = (made.json()["id"] for made in sites)
    app = {"name": "Hello", "command_template": "echo hello", "parameters": {}}
    apps = [
        http.post(f"{address}/apps/", json={**app, "site_id": number}, headers=bearer(everything)).json()[
            "id"
        ]
        for number in (mine, other)
    ]
    jobs = [
        http.post(f"{address}/jobs/", json={"workdir": "w", "app_id": number}, headers=bearer(everything))
        for number in apps
    ]
    foreign_job = jobs[1].json()["id"]
    agent = minted(address, scopes=["read", "submit", "agent", "admin"], site_id=mine)
    for path in ("/sites/", "/apps/", "/jobs/"):
        found = http.get(address + path, headers=bearer(agent)).json()["results"]
        assert len(found) == 1 and found[0].get("site_id", found[0]["id"]) == mine
    events = http.get(f"{address}/events/", headers=bearer(agent)).json()["results"]
    assert events and foreign_job not in {event["job_id"] for event in events}
    tries = [
        ("POST", "/apps/", {**app, "name": "B", "site_id": other}, 404),
        ("POST", "/jobs/", {"workdir": "x", "app_id": apps[1]}, 404),
        ("POST", "/jobs/", {"workdir": "x", "app_id": apps[0], "parent_ids": [foreign_job]}, 400),
        ("POST", "/sites/", {"name": "new", "path": "/new"}, 403),
        ("PUT", f"/jobs/{foreign_job}", {"num_nodes": 2}, 404),
        ("PUT", f"/sites/{other}", {"name": "renamed"}, 404),
        ("POST", "/auth/tokens", {"scopes": ["read"]}, 403),
        ("POST", "/jobs/", {"workdir": "x", "app_id": apps[0]}, 201),
    ]
    for method, path, body, status in tries:
        assert status_of(method, address + path, agent, json=body) == status, (method, path)
    assert status_of("DELETE", f"{address}/sites/{other}", agent) == 404
    at_other_site = {"site_id": other}
    assert status_of("POST", f"{address}/operations/services.current", agent, json=at_other_site) == 404
    at_this_site = {"site_id": mine}
    assert status_of("POST", f"{address}/operations/services.current", agent, json=at_this_site) == 200
    Site.objects.filter(pk=mine).delete()
    assert status_of("GET", f"{address}/sites/", agent) == 401


def test_refresh_token_is_replaced_at_each_use(address: str):
    registered(address)
    first = logged_in(address)
    second = renewed(address, first["refresh_token"]).json()
    assert {first["refresh_token"], first["access_token"]}.isdisjoint(second.values())
    for reply in (first, second):
        assert status_of("GET", f"{address}/jobs/", reply["access_token"]) == 200
    third = renewed(address, second["refresh_token"])
    assert third.status_code == 200 and Login.objects.count() == 1


def test_lost_reply_and_many_at_once_log_nobody_out(address: str):
    registered(address)
    first = logged_in(address)["refresh_token"]
    lost = renewed(address, first)
    assert lost.status_code == 200  # and nobody has seen it
    Login.objects.update(created=Now() - timedelta(days=2))
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(lambda _: renewed(address, first), range(10)))
    assert [reply.status_code for reply in replies] == [200] * 10
    tokens = [reply.json()["access_token"] for reply in replies]
    assert len(set(tokens)) == 10
    assert {status_of("GET", f"{address}/jobs/", token) for token in tokens} == {200}
    assert renewed(address, first).status_code == 200  # one of them is a little late
    assert Login.objects.count() == 1


def test_refresh_token_in_two_hands_ends_the_login(address: str):
    registered(address)
    first = logged_in(address)
    second = renewed(address, first["refresh_token"]).json()
    assert status_of("GET", f"{address}/jobs/", second["access_token"]) == 200
    Login.objects.update(confirmed=Now() - timedelta(hours=1))
    stolen = renewed(address, first["refresh_token"])
    assert stolen.status_code == 400 and stolen.json()["error"] == "invalid_grant"
    for reply in (first, second):
        assert status_of("GET", f"{address}/jobs/", reply["access_token"]) == 401
    assert renewed(address, second["refresh_token"]).status_code == 400


def test_logins_are_listed_and_ended(address: str):
    registered(address)
    first, second = logged_in(address), logged_in(address)
    headers = bearer(second["access_token"])
    listed = http.get(f"{address}/auth/tokens", headers=headers).json()
    assert len(listed) == 2 and listed[0]["last_used"] is not None
    ended = http.delete(f"{address}/auth/tokens/{listed[1]['id']}", headers=headers)
    assert ended.status_code == 204
    assert status_of("GET", f"{address}/jobs/", first["access_token"]) == 401
    assert renewed(address, first["refresh_token"]).status_code == 400
    registered(address, "bob")
    bob = bearer(logged_in(address, "bob")["access_token"])
    assert http.delete(f"{address}/auth/tokens/{listed[0]['id']}", headers=bob).status_code == 404


def test_who_asks_too_often_is_told_when_to_come_back(fresh_address: str):
    address = fresh_address
    registered(address)
    codes = [renewed(address, f"balsam_refresh_{n}").status_code for n in range(41)]
    assert codes == [400] * 40 + [429]
    form = {"client_id": "6b1ba8a6-0c58-4f6b-9e0b-6b1c9c0f7e11"}
    asked = [http.post(f"{address}/auth/device/login", data=form) for _ in range(31)]
    assert [answer.status_code for answer in asked] == [200] * 30 + [429]
    assert 0 < int(asked[-1].headers["Retry-After"]) <= 60
    accounts = [
        http.post(f"{address}/auth/password/register", json={"username": f"u{n}", "password": "short"})
        for n in range(30)
    ]
    assert [answer.status_code for answer in accounts[-2:]] == [400, 429]
    wrong = {"username": "maria", "password": "wrong"}
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        urls = [f"{address}/auth/password/login"] * 12
        guesses = [answer.status_code for answer in pool.map(lambda url: http.post(url, data=wrong), urls)]
    assert sorted(guesses) == [401] * 10 + [429] * 2


def test_settings_say_how_one_logs_in(db: Path):
    registered_body = {"username": "maria", "password": PASSWORD}
    settings = {"methods": ["device"], "registration": False, "public_url": "https://balsam.example.org/"}
    with served(db, settings) as address:
        assert http.get(f"{address}/auth/how").json() == ["device"]
        assert http.post(f"{address}/auth/password/register", json=registered_body).status_code == 409
        assert http.post(f"{address}/auth/password/login", data=registered_body).status_code == 409
        asked = http.post(
            f"{address}/auth/device/login", data={"client_id": "6b1ba8a6-0c58-4f6b-9e0b-6b1c9c0f7e11"}
        ).json()
        assert asked["verification_uri"] == "https://balsam.example.org/auth/device"
    with served(db, settings, BALSAM_AUTH_LOGIN_METHODS="password") as address:
        assert http.get(f"{address}/auth/how").json() == ["password"]
        asked_again = http.post(f"{address}/auth/device/login", data={"client_id": "x"})
        assert asked_again.status_code == 409


def test_server_with_settings_that_cannot_be_does_not_come_up(db: Path):
    leave(db)
    (db / "logins.yml").write_text("methods: [password]\n")
    (db / "logins.yml").chmod(0o644)
    try:
        done = run_balsam("server", "up", "--port", 0, env={"BALSAM_DB_PATH": str(db)})
        assert done.returncode == 6 and "chmod 600" in done.stderr
    finally:
        (db / "logins.yml").unlink()

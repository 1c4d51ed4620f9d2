"""A campaign never stops on a token: the login in client.yml is renewed, by one process for all."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now

from balsam.client.credentials import with_tokens
from balsam.client.http import Http, server_of
from balsam.config.client_file import ClientSettings
from balsam.core.models import Login, Token
from balsam.exceptions import LoginNeededError
from tests.logins import client_file_env, logged_in, registered
from tests.serving import served

#: Lists jobs until told to end, as a program that goes on for days does; says how often.
CAMPAIGN = """
import sys, time
from balsam.api import Job
until, count = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < until:
    assert Job.objects.all().count() == 0
    count += 1
    time.sleep(0.1)
print(count)
"""


@pytest.fixture
def login(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], ClientSettings]:
    """Log maria in; return what client.yml says now."""
    monkeypatch.setenv("BALSAM_CLIENT_PATH", str(tmp_path / "client.yml"))
    registered(address)
    save_login(address)
    return current


def save_login(address: str) -> None:
    with_tokens(ClientSettings(api_root=address, username="maria"), logged_in(address)).save_to_file()


def current() -> ClientSettings:
    found = ClientSettings.load_from_file()
    assert found is not None
    return found


def expire_access_tokens() -> None:
    Token.objects.filter(kind="access").update(expires=Now() - timedelta(seconds=1))


def test_token_that_expires_is_renewed_and_the_request_repeated(login: Callable[[], ClientSettings]):
    first = login()
    server = server_of(first)
    expire_access_tokens()
    assert server.request("GET", "/jobs/")["count"] == 0
    second = login()
    assert {first.token, first.refresh_token}.isdisjoint((second.token, second.refresh_token))
    assert second.username == "maria" and Path(str(second.api_root)) and Login.objects.count() == 1
    assert server.request("GET", "/jobs/")["count"] == 0
    assert login() == second


def test_token_that_another_process_has_renewed_is_taken_over(login: Callable[[], ClientSettings]):
    slow, fast = server_of(login()), server_of(login())
    expire_access_tokens()
    fast.request("GET", "/jobs/")
    renewed = login()
    slow.request("GET", "/jobs/")
    assert login() == renewed
    expire_access_tokens()  # of what is in the file, too: it is found to be over, then renewed
    server_of(replace(renewed, token="balsam_older")).request("GET", "/jobs/")
    assert login() != renewed


def test_revoked_login_is_one_clear_error(login: Callable[[], ClientSettings]):
    server = server_of(login())
    Login.objects.all().delete()
    with pytest.raises(LoginNeededError, match=r"expired or was revoked. Type `balsam login`"):
        server.request("GET", "/jobs/")


def test_login_that_is_gone_or_of_somebody_else_is_not_used(
    login: Callable[[], ClientSettings], address: str
):
    before = login()
    server = server_of(before)
    expire_access_tokens()
    replace(before, username="bob", token="balsam_bobs").save_to_file()
    with pytest.raises(LoginNeededError, match="is now the login of bob"):
        server.request("GET", "/jobs/")
    replace(before, token="", refresh_token="").save_to_file()
    with pytest.raises(LoginNeededError, match="logged out"):
        server.request("GET", "/jobs/")
    with pytest.raises(LoginNeededError, match="balsam login"):
        Http(address, before.token).request("GET", "/jobs/")


def test_login_whose_reply_could_not_be_kept_is_renewed_later(
    login: Callable[[], ClientSettings], monkeypatch: pytest.MonkeyPatch
):
    server = server_of(login())
    expire_access_tokens()
    renew = server._renew

    def lose_reply(refresh_token: str) -> dict[str, Any]:
        renew(refresh_token)
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(server, "_renew", lose_reply)
        for _ in range(2):
            with pytest.raises(LoginNeededError, match="no space left"):
                server.request("GET", "/jobs/")
    assert server.request("GET", "/jobs/")["count"] == 0


def test_ten_processes_outlive_many_tokens(db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    env = client_file_env(tmp_path)
    monkeypatch.setenv("BALSAM_CLIENT_PATH", env["BALSAM_CLIENT_PATH"])
    monkeypatch.delenv("BALSAM_DB_PATH")
    with served(db, {"token_hours": 4 / 3600}) as address:
        registered(address)
        save_login(address)
        before = current()
        command = [sys.executable, "-c", CAMPAIGN, "15"]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path) for _ in range(10)]
        counts = [int(process.communicate(timeout=300)[0] or 0) for process in processes]
        assert all(counts) and [process.returncode for process in processes] == [0] * 10
        assert current().token != before.token
    monkeypatch.setenv("BALSAM_DB_PATH", str(db))
    assert Login.objects.get().generation >= 2

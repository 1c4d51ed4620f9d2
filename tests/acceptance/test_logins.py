"""Accounts at a terminal and in a browser: the prompts, the code, the page, and no secret anywhere else."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml

from tests import http
from tests.browsers import browsing, needs_browser
from tests.commands import run_balsam, script_path
from tests.logins import client_file_env, logged_in, registered
from tests.openid import TestProvider
from tests.serving import PASSWORD, served, shared
from tests.waiting import wait_until


@pytest.fixture
def address(db: Path) -> str:
    return shared(db)


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Variables of a user with no login yet, and no database."""
    monkeypatch.delenv("BALSAM_DB_PATH", raising=False)
    return client_file_env(tmp_path)


def at_terminal(env: dict[str, str], *words: str) -> "pexpect.spawn[str]":
    return pexpect.spawn(
        script_path("balsam"), list(words), env={**os.environ, **env}, encoding="utf-8", timeout=90
    )


def ended(child: "pexpect.spawn[str]") -> tuple[int, str]:
    """Wait for the end; return the exit code and what was printed since the last question."""
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus is not None
    return child.exitstatus, str(child.before)


def answer(child: "pexpect.spawn[str]", *dialogue: tuple[str, str]) -> None:
    for question, reply in dialogue:
        child.expect_exact(question)
        if "assword" in question:
            wait_until(lambda: not child.getecho(), what="the terminal does not show what is typed")
        child.sendline(reply)


def client_file(env: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(Path(env["BALSAM_CLIENT_PATH"]).read_text())
    return found


def test_account_is_made_and_used_by_following_the_prompts(address: str, env: dict[str, str]):
    child = at_terminal(env, "register")
    answer(child, ("Balsam server address: ", address), ("Balsam username: ", "maria"))
    answer(child, ("Password: ", PASSWORD), ("Confirm Password: ", PASSWORD))
    code, text = ended(child)
    assert code == 0 and re.search(r"Registration success! \{'id': \d+, 'username': 'maria'\}", text)
    child = at_terminal(env, "login")
    answer(child, (f"Balsam server address [{address}]: ", ""), ("Balsam username [maria]: ", ""))
    answer(child, ("Balsam password: ", PASSWORD))
    code, text = ended(child)
    assert code == 0 and "Logged In as maria" in text and PASSWORD not in text
    path = Path(env["BALSAM_CLIENT_PATH"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    code, text = ended(at_terminal(env, "login"))
    assert code == 0 and "already have a good login" in text and "--force" in text
    child = at_terminal(env, "login", "--force")
    child.expect_exact("Balsam server address")
    child.sendintr()
    code, text = ended(child)
    assert code == 130 and "Traceback" not in text
    assert "as maria, for read, submit, agent, admin" in run_balsam("auth", "status", env=env).check().stdout


def test_wrong_answers_end_at_once_with_one_request(address: str, env: dict[str, str], db: Path):
    registered(address)
    log = db / "log" / "rest-server.log"
    before = log.stat().st_size
    child = at_terminal(env, "login", "--url", address)
    answer(child, ("Balsam username: ", "maria"), ("Balsam password: ", "wrong horse"))
    code, text = ended(child)
    assert code == 5 and "The username or the password is wrong." in text
    words = ("register", "--address", address, "--username", "maria")
    taken = run_balsam(*words, input=f"{PASSWORD}\n{PASSWORD}\n", env=env)
    assert taken.returncode == 7 and "'maria' is taken" in taken.stderr
    mismatch = run_balsam(*words, input=f"{PASSWORD}\nother\n", env=env)
    assert mismatch.returncode == 2
    requests = log.read_text()[before:]
    assert requests.count("POST /auth/password/register") == 1
    assert requests.count("POST /auth/password/login") == 1
    for command in ("login", "register"):
        typo = run_balsam(command, "--address", "http://127.0.0.1:8000,", env=env)
        assert typo.returncode == 2 and "'http://127.0.0.1:8000,' is no address of a server" in typo.stderr
    nowhere = run_balsam("login", "--url", "http://127.0.0.1:9", input="maria\nx\n", env=env)
    assert nowhere.returncode == 6 and "does not answer" in nowhere.stderr


def test_tokens_are_made_listed_and_ended(address: str, env: dict[str, str], tmp_path: Path):
    registered(address)
    run_balsam("login", "--url", address, input=f"maria\n{PASSWORD}\n", env=env).check()
    made = run_balsam("auth", "token", "--scope", "read", "--label", "reader", env=env).check()
    token = made.stdout.strip()
    assert token.startswith("balsam_") and "not shown again" in made.stderr
    saved = tmp_path / "reader.yml"
    run_balsam("auth", "token", "--scope", "read", "--days", "1", "--save", saved, env=env).check()
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    reader = {**env, "BALSAM_CLIENT_PATH": str(saved)}
    assert "for read." in run_balsam("auth", "status", env=reader).check().stdout
    refused = run_balsam("auth", "tokens", env=reader)
    assert refused.returncode == 4 and "scope admin" in refused.stderr
    rows = run_balsam("auth", "tokens", "-o", "jsonl", env=env).check().stdout
    listed = {row["label"]: row for row in map(yaml.safe_load, rows.splitlines())}
    assert listed["reader"]["scopes"] == ["read"]
    run_balsam("auth", "revoke", listed["reader"]["id"], env=env).check()
    assert http.get(f"{address}/jobs/", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert run_balsam("auth", "revoke", 10**6, env=env).returncode == 3
    assert run_balsam("auth", "token", env=env).returncode == 2
    assert run_balsam("auth", "token", "--scope", "read", "--site", "theta", env=env).returncode == 3
    before = client_file(env)["token"]
    run_balsam("logout", env=env).check()
    assert not client_file(env)["token"] and not client_file(env)["refresh_token"]
    assert http.get(f"{address}/jobs/", headers={"Authorization": f"Bearer {before}"}).status_code == 401
    assert run_balsam("auth", "status", env=env).returncode == 5


def test_waiting_for_an_approval_can_be_given_up(address: str, env: dict[str, str]):
    child = at_terminal(env, "login", "--device", "--url", address)
    child.expect(r"/auth/device\?user_code=([A-Z]{4}-[A-Z]{4})")
    child.expect_exact("Waiting")
    child.sendintr()
    code, text = ended(child)
    assert code == 130 and "Traceback" not in text
    assert not Path(env["BALSAM_CLIENT_PATH"]).exists()
    both = run_balsam("login", "--device", "--username", "maria", "--url", address, env=env)
    assert both.returncode == 2


def begin_device_login(env: dict[str, str], address: str) -> tuple["subprocess.Popen[str]", str]:
    """Type `balsam login --device` where nobody sees it; return it, and the address it shows."""
    process = subprocess.Popen(
        [script_path("balsam"), "login", "--device", "--url", address],
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert process.stdout is not None
    shown = next(line.strip() for line in process.stdout if "user_code=" in line)
    return process, shown


@needs_browser
@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
def test_device_login_is_approved_in_a_browser(
    address: str, env: dict[str, str], look: str, pages: Callable[[Any, str], None]
):
    registered(address)
    process, shown = begin_device_login(env, address)
    width = 340 if look == "narrow" else 900
    options: dict[str, Any] = {"color_scheme": "dark" if look == "dark" else "light"}
    with browsing(viewport={"width": width, "height": 700}, **options) as page:
        page.goto(shown)
        page.fill("#username", "maria")
        page.fill("#password", "nonsense")
        page.click("main button")
        assert "password is wrong" in page.inner_text("[role=alert]")
        pages(page, f"{look}-sign-in")
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector("button[value=approve]")
        assert shown.endswith(page.inner_text(".shown-code"))
        assert f"balsam on {os.uname().nodename}" in page.inner_text("dl")
        pages(page, f"{look}-approve")
        page.click("button[value=approve]")
        assert page.inner_text("h1") == "Approved"
        pages(page, f"{look}-done")
    stdout, stderr = process.communicate(timeout=90)
    assert process.returncode == 0 and "Logged In as maria" in stdout, stderr
    assert client_file(env)["refresh_token"]
    assert run_balsam("auth", "status", env=env).check().stdout.startswith(f"Logged in at {address} as maria")


@needs_browser
def test_device_login_is_denied_in_a_browser(address: str, env: dict[str, str], pages: Any):
    registered(address)
    process, shown = begin_device_login(env, address)
    with browsing() as page:
        page.goto(f"{address}/auth/device")
        page.fill("#username", "maria")
        page.fill("#password", PASSWORD)
        page.click("main button")
        page.fill("#user_code", shown[-9:].replace("-", "").lower())
        pages(page, "code")
        page.click("main button")
        page.click("button[value=deny]")
        assert page.inner_text("h1") == "Denied"
        pages(page, "denied")
        page.click("text=Sign out")
        assert page.inner_text("h1") == "Sign in"
    _, stderr = process.communicate(timeout=90)
    assert process.returncode == 5 and "denied in the browser" in stderr
    assert not Path(env["BALSAM_CLIENT_PATH"]).exists()


@needs_browser
def test_device_login_works_with_a_provider(db: Path, env: dict[str, str], pages: Any):
    with TestProvider().running() as provider, served(db, provider.settings()) as address:
        provider.asks = True
        process, shown = begin_device_login(env, address)
        with browsing() as page:
            page.goto(shown)
            pages(page, "provider")
            page.click("text=Sign in with Test Lab")
            page.click("#go")
            page.click("button[value=approve]")
            assert page.inner_text("h1") == "Approved"
        stdout, stderr = process.communicate(timeout=90)
        assert process.returncode == 0 and "Logged In as maria.curie" in stdout, stderr


@pytest.fixture
def pages() -> Callable[[Any, str], None]:
    """Check that a page fits its width, and keep a picture of it where BALSAM_TEST_PICTURES says."""
    directory = os.environ.get("BALSAM_TEST_PICTURES")

    def look(page: Any, name: str) -> None:
        if directory:
            page.screenshot(path=f"{directory}/{name}.png", full_page=True)
        box = page.locator("main").bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"]

    return look


CANARY = "canary-7f3a9c-password"
#: Fails with a traceback in the middle of a request.
FAILING = """
import sys
from balsam.client.http import server_of
from balsam.config.client_file import ClientSettings
login = ClientSettings.load_from_file()
print(repr(login))
server = server_of(login)
server._client = lambda: 1 / 0
server.request("GET", "/jobs/")
"""


def test_no_secret_is_told_to_anybody(address: str, env: dict[str, str], db: Path, tmp_path: Path):
    child = at_terminal(env, "--debug", "register", "--address", address, "--username", "maria")
    answer(child, ("Password: ", CANARY))
    child.expect_exact("Confirm Password: ")
    told = Path(f"/proc/{child.pid}/cmdline").read_text() + Path(f"/proc/{child.pid}/environ").read_text()
    child.sendline(CANARY)
    code, text = ended(child)
    assert code == 0
    done = run_balsam("--debug", "login", "--url", address, input=f"maria\n{CANARY}\n", env=env).check()
    again = run_balsam("--debug", "register", "--address", address, "--username", "maria",
                       input=f"{CANARY}\n{CANARY}\n", env=env)  # fmt: skip
    secrets = {CANARY, client_file(env)["token"], client_file(env)["refresh_token"]}
    minted = run_balsam("auth", "token", "--scope", "read", env=env).check()
    failed = subprocess.run(
        [sys.executable, "-c", FAILING], env={**os.environ, **env}, capture_output=True, text=True
    )
    assert again.returncode == 7 and "Traceback" in again.stderr
    assert failed.returncode == 1 and "ZeroDivisionError" in failed.stderr
    Path(env["BALSAM_CLIENT_PATH"]).write_text(f"api_root: {address}\ntoken: [{CANARY}\n: {CANARY}")
    broken = run_balsam("--debug", "auth", "status", env=env)
    assert broken.returncode == 2
    form = {"username": "maria", "password": CANARY, "guard": "x"}
    http.post(f"{address}/auth/sign-in", data=form)
    http.post(f"{address}/auth/password/login", data={**form, "username": "maria\x00"})
    http.post(f"{address}/auth/password/register", json=[CANARY])
    http.get(f"{address}/auth/oauth/callback?code={CANARY}")
    http.get(f"{address}/auth/device?user_code={CANARY}")
    logs = "".join(path.read_text(errors="replace") for path in db.rglob("*log") if path.is_file())
    logs += "".join(path.read_text(errors="replace") for path in (db / "log").iterdir())
    assert "POST /auth/password/login" in logs
    outputs = [told, text, done.output, again.output, failed.stdout, failed.stderr, broken.output, logs]
    outputs += [minted.stderr, logged_in_label(address)]
    for secret in {*secrets, minted.stdout.strip()}:
        assert secret and not [place for place in outputs if secret in place]


def logged_in_label(address: str) -> str:
    """What the account's logins are called."""
    headers = {"Authorization": f"Bearer {logged_in(address, password=CANARY)['access_token']}"}
    return http.get(f"{address}/auth/tokens", headers=headers).text

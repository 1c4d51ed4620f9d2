"""`balsam remote` against a real sshd: one login, a watched tunnel, no server on this side."""

import getpass
import json
import os
import shlex
import socket
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pexpect
import psutil
import pytest

from tests.commands import Finished
from tests.far import FarSide, NearSide, far_side, near_side
from tests.sshd import Login, Sshd, free_port, start_sshd
from tests.waiting import wait_until

LOGIN = Login()


@pytest.fixture(scope="module")
def far() -> Iterator[FarSide]:
    with far_side() as found:
        found.balsam("app", "--name", "hello", "--executable", "/bin/echo hello").check()
        yield found


@pytest.fixture
def near(far: FarSide) -> Iterator[NearSide]:
    far.balsam("server", "--connect").check()
    with near_side(far.sshd) as found:
        yield found


@pytest.fixture
def theta(near: NearSide, far: FarSide) -> NearSide:
    """A near side with the remote `theta`, connected, whose tunnel is looked at often."""
    near.run(f"balsam remote add theta theta:{far.db_path} --check-sec 0.3").check()
    return near


def row(near: NearSide, name: str = "theta") -> dict[str, object]:
    rows = json.loads(near.run("balsam remote ls -o json").check().stdout)["rows"]
    found: dict[str, object] = next(row for row in rows if row["name"] == name)
    return found


def is_connected_to(near: NearSide, host: str) -> bool:
    return (row(near)["host"], row(near)["state"]) == (host, "connected")


def in_theta(near: NearSide, *lines: str) -> Finished:
    return near.run(". balsamactivate theta >/dev/null || exit 99", *lines)


def test_remote_is_added_activated_used_and_removed(near: NearSide, far: FarSide) -> None:
    added = near.run(f"balsam remote add theta theta:{far.db_path}").check()
    assert ". balsamactivate theta" in added.stdout
    done = in_theta(
        near, "balsam job --name far1 --workflow w --application hello --yes", "balsam ls"
    ).check()
    assert "far1" in done.stdout
    assert "far1" in far.balsam("ls").check().stdout
    assert row(near)["state"] == "connected"
    near.run("balsam remote rm theta").check()
    assert near.run("balsam remote ls -o ids").check().stdout == ""
    assert "theta" not in near.run("balsam which --list").stdout
    assert far.balsam("server", "--status").returncode == 0


def test_paths_are_those_of_the_servers_side(theta: NearSide, far: FarSide) -> None:
    in_theta(theta, "balsam job --name there --workflow w --application hello --yes").check()
    done = in_theta(theta, "balsam workdir $(balsam ls -o ids --name there)").check()
    assert done.stdout.startswith(f"{far.db_path}/data/w/there_")


def test_only_the_users_own_files_are_made_on_this_side(theta: NearSide) -> None:
    in_theta(theta, "balsam ls", "balsam server --connect", "balsam which").check()
    found = {path.name for path in (theta.home / ".balsam/remotes/theta").iterdir()}
    assert not found & {"balsamdb", "log", "data", "qsubmit", ".server-lock", ".socket"}
    assert stat.S_IMODE((theta.home / ".balsam/remotes/theta").stat().st_mode) == 0o700
    assert stat.S_IMODE((theta.home / ".balsam/remotes/theta/server-info").stat().st_mode) == 0o600


def test_no_server_is_started_or_stopped_from_this_side(theta: NearSide, far: FarSide) -> None:
    for action in ("--stop", "--reset", "--add-user x"):
        assert in_theta(theta, f"balsam server {action}").returncode == 6
    far.balsam("server", "--stop").check()
    done = theta.run(". balsamactivate theta || echo failed")
    assert "failed" in done.stdout
    assert "balsam remote connect theta" in done.stderr
    assert far.balsam("server", "--status").returncode == 6
    assert not (theta.home / ".balsam/remotes/theta/balsamdb").exists()


@pytest.mark.parametrize(
    "command",
    [
        "launcher --consume-all --job-mode serial",
        "service",
        "service --foreground",
        "submit-launch -n 1 -q q -t 5 -A a --job-mode mpi",
    ],
)
def test_jobs_do_not_run_where_their_files_are_not(theta: NearSide, far: FarSide, command: str) -> None:
    away = far.db_path.rename(far.home / "moved")  # as it is on another machine: the path leads nowhere
    try:
        done = in_theta(theta, f"balsam {command}")
    finally:
        away.rename(far.db_path)
    assert done.returncode == 4
    assert f"their files are in {far.db_path}" in done.stderr
    made = {path.name for path in (theta.home / ".balsam/remotes/theta").iterdir()}
    assert not made & {"log", "data", "qsubmit"}


def test_unknown_keys_and_the_servers_host_are_kept(near: NearSide, far: FarSide) -> None:
    far.change_server_info(thetahost="thetalogin9")
    near.run(f"balsam remote add theta theta:{far.db_path}").check()
    copy = json.loads((near.home / ".balsam/remotes/theta/server-info").read_text())
    assert (copy["host"], copy["thetahost"], copy["remote"]) == ("localhost", "thetalogin9", "theta")


def test_connect_twice_is_fine_and_disconnect_ends_everything(theta: NearSide) -> None:
    watchers = watchers_of(theta)
    assert len(watchers) == 1
    theta.run("balsam remote connect theta").check()
    assert watchers_of(theta) == watchers
    assert "Disconnected" in theta.run("balsam remote disconnect theta").check().stdout
    assert watchers_of(theta) == []
    assert row(theta)["state"] == "disconnected"
    assert "was not connected" in theta.run("balsam remote disconnect theta").check().stdout
    assert theta.run(". balsamactivate theta").returncode == 1
    theta.run("balsam remote connect theta").check()
    in_theta(theta, "balsam ls").check()


def watchers_of(near: NearSide) -> list[int]:
    """Processes that look after a tunnel of this near side."""
    found = []
    for process in psutil.process_iter():
        try:
            if "balsam.remote.watcher" in process.cmdline() and process.environ()["HOME"] == str(near.home):
                found.append(process.pid)
        except (psutil.Error, KeyError):
            continue
    return found


def test_lost_connection_is_opened_again(theta: NearSide, far: FarSide) -> None:
    logins = far.sshd.log.count("Accepted")
    far.sshd.cut_connections()
    wait_until(lambda: far.sshd.log.count("Accepted") > logins, what="a new login")
    wait_until(lambda: row(theta)["state"] == "connected")
    in_theta(theta, "balsam ls").check()
    log = (theta.home / ".balsam/remotes/theta/tunnel.log").read_text()
    assert "was lost" in log


def test_server_that_moved_to_another_port_is_followed(theta: NearSide, far: FarSide) -> None:
    before = row(theta)
    far.balsam("server", "--stop").check()
    usual = json.loads((far.db_path / "server-info").read_text())["port"]
    with socket.create_server(("127.0.0.1", usual)):
        far.balsam("server", "--connect").check()
        moved = json.loads((far.db_path / "server-info").read_text())["port"]
        assert moved != usual
        wait_until(lambda: row(theta)["state"] == "connected")
        in_theta(theta, "balsam ls").check()
    assert row(theta)["local_port"] == before["local_port"]


def test_server_that_moved_to_another_host_is_reached_through_the_first(
    theta: NearSide, far: FarSide
) -> None:
    here = json.loads((far.db_path / "server-info").read_text())["host"]
    try:
        for host in ("thetalogin4", "thetalogin5"):
            far.change_server_info(host=host)
            wait_until(partial(is_connected_to, theta, host), what=host)
            in_theta(theta, "balsam ls").check()
        theta.run(f"balsam remote add other theta:{far.db_path}").check()
        assert row(theta, "other")["host"] == "thetalogin5"
    finally:
        far.change_server_info(host=here)
    wait_until(partial(is_connected_to, theta, here))


def test_host_that_the_first_does_not_know_is_told(near: NearSide, far: FarSide) -> None:
    here = json.loads((far.db_path / "server-info").read_text())["host"]
    far.change_server_info(host="nowhere.invalid")
    try:
        done = near.run(f"balsam remote add theta theta:{far.db_path}")
    finally:
        far.change_server_info(host=here)
    assert done.returncode == 6
    assert "runs on host nowhere.invalid" in done.stderr
    assert near.run("balsam remote ls -o ids").stdout == ""


def test_server_that_is_down_is_told_and_found_when_it_is_up(near: NearSide, far: FarSide) -> None:
    far.balsam("server", "--stop").check()
    done = near.run(f"balsam remote add theta theta:{far.db_path} --check-sec 0.3")
    assert done.returncode == 6
    assert f"`. balsamactivate {far.db_path}`" in done.stderr
    assert row(near)["state"] == "no server"
    far.balsam("server", "--connect").check()
    wait_until(lambda: row(near)["state"] == "connected")
    in_theta(near, "balsam ls").check()


@pytest.mark.parametrize(
    ("place", "status", "words"),
    [
        ("theta:{home}", 6, "No database at {home} on theta"),
        ("theta:{home}/it's not; here", 6, "No such file"),
        ("nowhere.invalid:/db", 6, "Cannot reach host nowhere.invalid"),
        ("ssh://127.0.0.1:1/db", 6, "Connection refused"),
        ("theta", 2, "user@host:/path/to/db"),
        ("-oProxyCommand=touch pwned:/db", 2, "no name of a host"),
    ],
)
def test_place_that_does_not_work_is_told_and_not_kept(
    near: NearSide, far: FarSide, place: str, status: int, words: str
) -> None:
    done = near.run(f"balsam remote add theta -- {shlex.quote(place.format(home=far.home))}")
    assert done.returncode == status
    assert words.format(home=far.home) in done.stderr
    assert "Traceback" not in done.stderr
    assert near.run("balsam remote ls -o ids").stdout == ""
    assert not (near.home / "pwned").exists()


def test_server_info_that_is_no_json_is_told(near: NearSide, far: FarSide) -> None:
    (far.home / "broken").mkdir(exist_ok=True)
    (far.home / "broken/server-info").write_text('{"host": ')
    done = near.run(f"balsam remote add theta theta:{far.home}/broken")
    assert done.returncode == 6
    assert "Cannot understand" in done.stderr


def test_file_made_for_a_guest_is_found(near: NearSide, far: FarSide) -> None:
    (far.home / "theirs").mkdir()
    login = getpass.getuser()
    (far.home / f"theirs/server-info-{login}").write_text((far.db_path / "server-info").read_text())
    near.run(f"balsam remote add theta theta:{far.home}/theirs").check()
    in_theta(near, "balsam ls").check()


def test_url_with_a_port_and_a_user_leads_there(near: NearSide, far: FarSide) -> None:
    user = far.balsam("server", "--list-users", "-o", "ids").check().stdout.split()[0]
    near.run(f"balsam remote add theta ssh://{user}@127.0.0.1:{far.sshd.port}{far.db_path}").check()
    in_theta(near, "balsam ls").check()


def test_local_port_that_is_taken_is_told(theta: NearSide, far: FarSide) -> None:
    done = theta.run(f"balsam remote add second theta:{far.db_path} --local-port {far.sshd.port}")
    assert done.returncode == 7
    assert f"Port {far.sshd.port} of this machine is taken" in done.stderr
    port = free_port()
    theta.run(f"balsam remote add second theta:{far.db_path} --local-port {port}").check()
    assert row(theta, "second")["local_port"] == port


def test_names_that_are_taken_or_unknown_are_told(theta: NearSide, far: FarSide) -> None:
    assert theta.run(f"balsam remote add theta theta:{far.db_path}").returncode == 7
    for action in ("connect", "disconnect", "rm"):
        done = theta.run(f"balsam remote {action} polaris")
        assert done.returncode == 3
        assert "Known: theta" in done.stderr
    assert row(theta)["state"] == "connected"


def test_damaged_remote_is_removed(theta: NearSide) -> None:
    (theta.home / ".balsam/remotes/theta/remote.json").write_text("{")
    assert row(theta)["state"] == "damaged"
    assert theta.run("balsam remote connect theta").returncode == 2
    theta.run("balsam remote rm theta").check()
    assert watchers_of(theta) == []


def test_program_that_cannot_be_run_is_told_before_anything_is_done(near: NearSide, far: FarSide) -> None:
    logins = far.sshd.log.count("Connection from")
    done = near.run(f"balsam remote add theta theta:{far.db_path} --answer-with /nowhere/ask")
    assert done.returncode == 2
    assert "'/nowhere/ask', is not an executable file" in done.stderr
    assert near.run("balsam remote ls -o ids").stdout == ""
    assert far.sshd.log.count("Connection from") == logins


def test_quiet_configuration_of_ssh_does_not_hide_why(near: NearSide, far: FarSide) -> None:
    config = far.sshd.config.read_text()
    far.sshd.config.write_text("LogLevel QUIET\n" + config.replace("user_key", "no_key"))
    try:
        done = near.run(f"setsid --wait balsam remote add theta theta:{far.db_path}")
    finally:
        far.sshd.config.write_text(config)
    assert done.returncode == 5
    assert "Permission denied (publickey)" in done.stderr


def test_password_is_shown_nowhere(theta: NearSide, far: FarSide) -> None:
    password = json.loads((far.db_path / "server-info").read_text())["password"]
    done = theta.run(
        "balsam remote ls --debug", "balsam remote connect theta --debug", "balsam remote ls -o json"
    )
    assert password not in done.check().output
    holders = [
        path.name
        for path in (theta.home / ".balsam").rglob("*")
        if path.is_file() and password in path.read_text(errors="replace")
    ]
    assert holders == ["server-info"]


def test_foreign_key_of_the_host_is_refused(near: NearSide, far: FarSide) -> None:
    known = far.sshd.directory / "known_hosts"
    right = known.read_text()
    other = (far.sshd.directory / "user_key.pub").read_text().split()
    known.write_text(f"balsam-test {other[0]} {other[1]}\n")
    try:
        done = near.run(f"balsam remote add theta theta:{far.db_path}")
    finally:
        known.write_text(right)
    assert done.returncode == 5
    assert "compare the key" in done.stderr


# A login with a password and a code


@pytest.fixture(scope="module")
def strict(far: FarSide) -> Iterator[Sshd]:
    """A server to the same far side that asks for a password and a code."""
    environ = {"HOME": str(far.home), "PATH": os.environ["PATH"]}
    with start_sshd(far.home / "strict", login=LOGIN, environ=environ) as sshd:
        yield sshd


@pytest.fixture
def strict_near(strict: Sshd, far: FarSide) -> Iterator[NearSide]:
    far.balsam("server", "--connect").check()
    with near_side(strict) as found:
        yield found


def program(near: NearSide, answers: dict[str, str]) -> Path:
    """Write a program that answers questions, and notes them."""
    path = near.home / "answer"
    cases = "\n".join(
        f"*{shlex.quote(words)}*) echo {shlex.quote(said)};;" for words, said in answers.items()
    )
    path.write_text(f'#!/bin/sh\necho "$1" >>{near.home}/asked\ncase "$1" in\n{cases}\nesac\n')
    path.chmod(0o755)
    return path


RIGHT = {"Password": LOGIN.questions["Password: "], "code": LOGIN.questions["Verification code: "]}


def test_questions_are_answered_at_the_terminal(strict_near: NearSide, far: FarSide) -> None:
    command = f"balsam remote add theta theta:{far.db_path}"
    child = pexpect.spawn(
        "bash",
        ["-c", command],
        env=dict(strict_near.environ),
        cwd=str(strict_near.home),
        timeout=30,
        encoding="utf-8",
    )
    child.expect("Password: ")
    child.sendline(RIGHT["Password"])
    child.expect("Verification code: ")
    child.sendline(RIGHT["code"])
    child.expect("Connected theta")
    child.expect(pexpect.EOF)
    assert RIGHT["Password"] not in (child.before or "")
    in_theta(strict_near, "balsam ls").check()


def test_questions_are_answered_by_a_program_also_when_the_connection_is_lost(
    strict_near: NearSide, strict: Sshd, far: FarSide
) -> None:
    answer = program(strict_near, RIGHT)
    strict_near.run(
        f"balsam remote add theta theta:{far.db_path} --answer-with {answer} --check-sec 0.3"
    ).check()
    asked = (strict_near.home / "asked").read_text()
    assert ("Password" in asked, "code" in asked) == (True, True)
    logins = strict.log.count("Accepted")
    strict.cut_connections()
    wait_until(lambda: strict.log.count("Accepted") > logins, what="a new login")
    wait_until(lambda: row(strict_near)["state"] == "connected")


def test_wrong_answer_is_told_and_not_given_twice(strict_near: NearSide, strict: Sshd, far: FarSide) -> None:
    answer = program(strict_near, {**RIGHT, "code": "000000"})
    done = strict_near.run(f"balsam remote add theta theta:{far.db_path} --answer-with {answer}")
    assert done.returncode == 5
    assert "theta did not let you in" in done.stderr
    assert (strict_near.home / "asked").read_text().count("Password") == 1
    assert strict_near.run("balsam remote ls -o ids").stdout == ""
    for secret in RIGHT.values():
        assert secret not in done.output


def test_lost_connection_that_asks_waits_for_the_user(
    strict_near: NearSide, strict: Sshd, far: FarSide
) -> None:
    answer = program(strict_near, RIGHT)
    strict_near.run(
        f"balsam remote add theta theta:{far.db_path} --answer-with {answer} --check-sec 0.3"
    ).check()
    program(strict_near, {"Password": "wrong"})
    strict.cut_connections()
    wait_until(lambda: "balsam remote connect theta" in str(row(strict_near)["trouble"]))
    assert row(strict_near)["state"] == "lost"
    questions = (strict_near.home / "asked").read_text()
    program(strict_near, RIGHT)
    strict_near.run("balsam remote connect theta").check()
    assert row(strict_near)["state"] == "connected"
    assert (strict_near.home / "asked").read_text().count("Password") == questions.count("Password") + 1


def test_without_a_terminal_and_a_program_the_login_is_refused(strict_near: NearSide, far: FarSide) -> None:
    done = strict_near.run(f"setsid --wait balsam remote add theta theta:{far.db_path}")
    assert done.returncode == 5
    assert "did not let you in" in done.stderr

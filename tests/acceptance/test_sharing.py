"""`balsam server --add-user`, `--drop-user` and `--list-users`, and what a second Unix user does then."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.commands import Finished, run_balsam, script_path
from tests.databases import discard_database

NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
#: For programs that start Python again: it may be installed below a folder such as /root.
ENTER_FOLDERS = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


@dataclass(frozen=True)
class Owner:
    """Whose database it is: a home with the running database ``db``."""

    home: Path

    @property
    def db_path(self) -> Path:
        return self.home / "db"

    def balsam(self, *args: str, **env: str) -> Finished:
        mine = {"HOME": str(self.home), "BALSAM_DB_PATH": str(self.db_path), **env}
        return run_balsam(*args, cwd=self.home, env=mine)

    def users(self) -> list[str]:
        return self.balsam("server", "--list-users", "-o", "ids").check().stdout.splitlines()


@pytest.fixture
def owner() -> Iterator[Owner]:
    """An owner whose directory every account can enter."""
    home = Path(tempfile.mkdtemp(prefix="balsam-shared-", dir="/tmp"))
    home.chmod(0o755)
    found = Owner(home)
    try:
        run_balsam("init", "db", cwd=home, env={"HOME": str(home)}).check()
        found.balsam("server", "--connect").check()
        yield found
    finally:
        discard_database(found.db_path)
        shutil.rmtree(home)


def test_users_are_added_listed_and_dropped(owner: Owner):
    added = owner.balsam("server", "--add-user", "maria").check()
    info = json.loads((owner.db_path / "server-info-maria").read_text())
    assert str(owner.db_path / "server-info-maria") in added.stdout
    assert info["password"] not in added.output
    assert owner.users()[1:] == ["maria"]
    rows = json.loads(owner.balsam("server", "--list-users", "-o", "json").check().stdout)["rows"]
    assert [row["is_owner"] for row in rows] == [True, False]
    owner.balsam("server", "--drop-user", "maria").check()
    assert len(owner.users()) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--drop-user", "maria"], 3, "is no user"),
        (["--add-user", "pg_signal_backend"], 2, "cannot be the name"),
        (["--add-user="], 2, "cannot be the name"),
        (["--add-user", "maria", "--list-users"], 2, "exactly one"),
        (["--add-user"], 2, "needs a value"),
    ],
)
def test_what_cannot_be_done_is_said(owner: Owner, arguments: list[str], status: int, words: str):
    done = owner.balsam("server", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    assert len(owner.users()) == 1


def test_user_cannot_be_added_while_the_server_is_down(owner: Owner):
    owner.balsam("server", "--stop").check()
    done = owner.balsam("server", "--add-user", "maria")
    assert done.returncode == 6
    assert "balsam server --connect" in done.stderr
    assert not (owner.db_path / "server-info-maria").exists()


@dataclass(frozen=True)
class Collaborator:
    """The account `nobody`, with a home and a directory of its own for the database."""

    home: Path
    run: Callable[..., Finished]


@pytest.fixture
def nobody(owner: Owner) -> Iterator[Collaborator]:
    if os.geteuid() != 0:
        pytest.skip("not root: only root can act as a second Unix user")
    if subprocess.run(
        [*AS_NOBODY, script_path("balsam"), "--version"], capture_output=True, check=False
    ).returncode:
        pytest.skip("the account nobody cannot run this Balsam")
    home = Path(tempfile.mkdtemp(prefix="balsam-nobody-", dir="/tmp"))
    (home / "theirs").mkdir()
    owner.balsam("server", "--add-user", "nobody").check()
    shutil.copy(owner.db_path / "server-info-nobody", home / "theirs/server-info")
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", home], check=True)

    def run(*args: str, active: str = "theirs", rights: tuple[str, ...] = ()) -> Finished:
        environ = {**os.environ, "HOME": str(home), "BALSAM_DB_PATH": str(home / active)}
        done = subprocess.run(
            [*AS_NOBODY, *rights, script_path("balsam"), *args],
            cwd=home,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    yield Collaborator(home, run)
    shutil.rmtree(home)


def test_second_unix_user_adds_jobs_and_runs_them(owner: Owner, nobody: Collaborator):
    assert "already running server" in nobody.run("server", "--connect").check().stdout
    nobody.run("app", "--name", "hello", "--executable", "/bin/echo hello").check()
    nobody.run("job", "--name", "a", "--workflow", "w", "--application", "hello", "--yes").check()
    assert " a " in owner.balsam("ls").check().stdout
    (owner.db_path / "data").chmod(0o777)
    nobody.run("launcher", "--consume-all", "--job-mode=serial", rights=ENTER_FOLDERS).check()
    assert "JOB_FINISHED" in owner.balsam("ls").check().stdout
    (output,) = (owner.db_path / "data/w").glob("a_*/a.out")
    assert (output.read_text(), output.stat().st_uid) == ("hello\n", NOBODY)
    assert sorted(path.name for path in (nobody.home / "theirs").iterdir()) == ["log", "server-info"]


@pytest.mark.parametrize("action", ["--stop", "--reset"])
def test_second_unix_user_cannot_end_the_server(owner: Owner, nobody: Collaborator, action: str):
    done = nobody.run("server", action)
    assert done.returncode == 6
    assert "by its owner, root" in done.stderr
    owner.balsam("server", "--status").check()


def test_second_unix_user_cannot_start_the_server(owner: Owner, nobody: Collaborator):
    owner.balsam("server", "--stop").check()
    done = nobody.run("server", "--connect")
    assert done.returncode == 6
    assert "Ask root to run `balsam server --connect`" in done.stderr
    assert owner.balsam("server", "--status").returncode == 6


@pytest.fixture
def shared(owner: Owner, nobody: Collaborator) -> Collaborator:
    """The second user at the owner's own directory."""
    (nobody.home / "shared").symlink_to(owner.db_path)
    return Collaborator(nobody.home, partial(nobody.run, active="shared"))


def test_second_unix_user_works_in_the_owners_directory(owner: Owner, shared: Collaborator):
    assert "already running server" in shared.run("server", "--connect").check().stdout
    shared.run("app", "--name", "hello", "--executable", "/bin/echo hello").check()
    shared.run("job", "--name", "a", "--workflow", "w", "--application", "hello", "--yes").check()
    listed = json.loads(owner.balsam("ls", "-o", "json").check().stdout)["rows"]
    (workdir,) = shared.run("workdir", str(listed[0]["job_id"])[:8]).check().stdout.splitlines()
    assert workdir.startswith(f"{owner.db_path}/data/w/a_")
    status = json.loads(shared.run("server", "--status", "-o", "json").check().stdout)["rows"][0]
    assert status["is_running"] is True
    owner.balsam("server", "--reset").check()
    shared.run("ls").check()


@pytest.mark.parametrize("action", ["--stop", "--reset", "--list-users", "--add-user=x"])
def test_second_unix_user_does_not_rule_in_the_owners_directory(
    owner: Owner, shared: Collaborator, action: str
):
    done = shared.run("server", action)
    assert done.returncode == 6
    assert "only by its owner, root" in done.stderr or "Only the owner" in done.stderr
    owner.balsam("server", "--status").check()


def test_second_unix_user_starts_no_server_in_the_owners_directory(owner: Owner, shared: Collaborator):
    owner.balsam("server", "--stop").check()
    for command in (["server", "--connect"], ["ls"]):
        done = shared.run(*command)
        assert done.returncode == 6
        assert "Traceback" not in done.stderr
    assert "ask root to run `balsam server --connect`" in shared.run("server", "--connect").stderr
    assert owner.balsam("server", "--status").returncode == 6


def test_stranger_in_the_owners_directory_is_told_what_to_ask_for(owner: Owner, shared: Collaborator):
    owner.balsam("server", "--drop-user", "nobody").check()
    for command in (["server", "--connect"], ["ls"], ["which"]):
        done = shared.run(*command)
        assert done.returncode == 6
        assert "`balsam server --add-user nobody`" in done.stderr


def test_dropped_user_is_let_in_no_more(owner: Owner, nobody: Collaborator):
    nobody.run("ls").check()
    owner.balsam("server", "--drop-user", "nobody").check()
    done = nobody.run("ls")
    assert done.returncode == 6
    assert "password authentication failed" in done.stderr

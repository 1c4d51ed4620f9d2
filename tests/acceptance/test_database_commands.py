"""`balsam init`, `server` and `which`, as a user types them."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands import Finished, run_balsam
from tests.databases import discard_database

Cli = Callable[..., Finished]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home of its own, with the database ``db`` in it."""
    top = Path(tempfile.mkdtemp(prefix="cmd-", dir=os.environ["BALSAM_TEST_RUN_DIR"]))
    run_balsam("init", "db", cwd=top, env={"HOME": str(top)}).check()
    yield top
    for server_info in top.glob("*/server-info"):
        discard_database(server_info.parent)
    shutil.rmtree(top)


@pytest.fixture
def balsam(home: Path) -> Cli:
    """Run a command in the home, with the database active unless told otherwise."""

    def run(*args: object, active: Path | None = home / "db", **env: str) -> Finished:
        if active is not None:
            env["BALSAM_DB_PATH"] = str(active)
        return run_balsam(*args, cwd=home, env={"HOME": str(home), **env})

    return run


def rows(done: Finished) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(done.stdout)["rows"]
    return found


def test_init_says_where_the_database_is_and_how_to_activate_it(balsam: Cli, home: Path) -> None:
    done = balsam("init", "new one", active=None).check()
    assert str(home / "new one") in done.stdout
    assert ". balsamactivate 'new one'" in done.stdout
    assert rows(balsam("server", "--status", "-o", "json", active=home / "new one"))[0]["is_running"] is False
    listed = [row["path"] for row in rows(balsam("which", "--list", "-o", "json"))]
    assert str(home / "new one") in listed


def test_init_gives_the_whole_path_where_the_name_is_taken(balsam: Cli, home: Path) -> None:
    (home / "other").mkdir()
    done = balsam("init", "other/db", active=None).check()
    try:
        assert f". balsamactivate {home}/other/db" in done.stdout
    finally:
        discard_database(home / "other/db")


def test_init_leaves_a_queue_policy_to_edit_and_never_touches_it_again(balsam: Cli, home: Path) -> None:
    policy = home / ".balsam/theta_policy.ini"
    assert {"[debug-flat-quad]", "[default]"} <= set(policy.read_text().splitlines())
    policy.write_text("mine")
    balsam("init", "db").check()
    assert policy.read_text() == "mine"


def test_init_without_a_policy_still_makes_the_database(balsam: Cli, home: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{")
    done = balsam("init", "db", BALSAM_HOME=str(tmp_path)).check()
    assert f"Warning: {tmp_path}/settings.json" in done.stderr


def test_init_of_an_existing_database_keeps_it(balsam: Cli, home: Path) -> None:
    before = (home / "db/server-info").read_bytes()
    assert "up to date" in balsam("init", "db").check().stdout
    assert (home / "db/server-info").read_bytes() == before


def test_init_that_fails_says_so_with_its_status_and_leaves_nothing(balsam: Cli, home: Path) -> None:
    done = balsam("init", "broken", active=None, BALSAM_PG_BIN="/nowhere")
    assert done.returncode == 6
    assert "BALSAM_PG_BIN is '/nowhere'" in done.stderr
    assert not (home / "broken").exists()
    assert "broken" not in balsam("which", "--list").stdout


@pytest.mark.parametrize("arguments", [[], ["file"], ["no/such/parent"], ["a", "b"]])
def test_init_of_what_cannot_be_a_directory_is_a_usage_error(
    balsam: Cli, home: Path, arguments: list[str]
) -> None:
    (home / "file").write_text("")
    done = balsam("init", *arguments, active=None)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_server_goes_up_and_down(balsam: Cli, home: Path) -> None:
    balsam("server", "--stop").check()
    assert balsam("server", "--status").returncode == 6
    assert "Started" in balsam("server", "--connect").check().stdout
    assert "Connected to already running server" in balsam("server", "--connect").check().stdout
    status = rows(balsam("server", "--status", "-o", "json").check())[0]
    assert (status["is_running"], status["db_path"]) == (True, str(home / "db"))
    assert "was not running" not in balsam("server", "--stop").check().stdout
    assert "was not running" in balsam("server", "--stop").check().stdout


def test_reset_leaves_the_server_running_on_its_port(balsam: Cli) -> None:
    balsam("server", "--connect").check()
    before = rows(balsam("server", "--status", "-o", "json"))[0]
    balsam("server", "--reset").check()
    after = rows(balsam("server", "--status", "-o", "json").check())[0]
    assert (after["port"], after["is_running"]) == (before["port"], True)
    assert after["pid"] != before["pid"]


def test_connections_are_listed(balsam: Cli) -> None:
    balsam("server", "--connect").check()
    assert rows(balsam("server", "--list-active-connections", "-o", "json").check()) == []
    assert "application" in balsam("server", "--list").check().stdout


@pytest.mark.parametrize(
    ("arguments", "status"),
    [([], 2), (["--stop", "--force-takeover"], 2), (["--nonsense"], 2), (["--stop", "extra"], 2)],
)
def test_server_wants_exactly_one_thing_to_do(balsam: Cli, arguments: list[str], status: int) -> None:
    assert balsam("server", *arguments).returncode == status


def test_two_things_at_once_are_refused(balsam: Cli) -> None:
    balsam("server", "--connect").check()
    done = balsam("server", "--connect", "--stop")
    assert done.returncode == 2
    assert balsam("server", "--status").returncode == 0


def test_server_of_another_host_is_a_conflict(balsam: Cli, home: Path) -> None:
    balsam("server", "--stop").check()
    record = home / "db/.server-owner"
    process = {"host": "login9", "boot_id": "another", "pid": 4711, "start_time": 1.0}
    record.write_text(json.dumps({"process": process, "is_starting": False}))
    for action in ("--connect", "--stop", "--reset"):
        done = balsam("server", action)
        assert done.returncode == 7
        assert "login9" in done.stderr
    balsam("server", "--connect", "--force-takeover").check()


def test_commands_without_a_database_end_with_six(balsam: Cli) -> None:
    for command in (["server", "--connect"], ["server", "--status"], ["server", "--stop"]):
        done = balsam(*command, active=None)
        assert done.returncode == 6
        assert "balsamactivate" in done.stderr


def test_which_shows_the_active_database_without_its_password(balsam: Cli, home: Path) -> None:
    password = json.loads((home / "db/server-info").read_text())["password"]
    for form in ("table", "json", "csv", "ids"):
        done = balsam("which", "-o", form).check()
        assert str(home / "db") in done.stdout
        assert password not in done.output
    assert rows(balsam("which", "-o", "json"))[0]["path"] == str(home / "db")


def test_which_without_an_active_database_lists_the_known_ones(balsam: Cli, home: Path) -> None:
    done = balsam("which", active=None).check()
    assert str(home / "db") in done.stdout
    assert "No database is active" in done.stderr


def test_which_creates_nothing(balsam: Cli, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "empty").mkdir()
    for arguments in ([], ["--list"], ["--name", "x"]):
        balsam("which", *arguments, active=tmp_path / "empty", HOME=str(tmp_path / "home"))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", "home"]


def test_name_is_printed_as_a_path_or_refused(balsam: Cli, home: Path) -> None:
    assert balsam("which", "--name", "db").check().stdout == f"{home}/db\n"
    for name in ("nowhere", ""):
        done = balsam("which", "--name", name, active=None)
        assert done.returncode == (3 if name else 0) or done.stderr
    assert balsam("which", "--name", "db", "--list").returncode == 2


def test_torn_server_info_is_told_and_left_alone(balsam: Cli, tmp_path: Path) -> None:
    (tmp_path / "server-info").write_text('{"host": "logi')
    for command in (["which"], ["server", "--connect"], ["server", "--status"]):
        done = balsam(*command, active=tmp_path)
        assert done.returncode == 6
        assert f"{tmp_path}/server-info" in done.stderr
        assert "Traceback" not in done.stderr
    assert (tmp_path / "server-info").read_text() == '{"host": "logi'


def test_damaged_list_of_databases_does_not_keep_one_from_working(balsam: Cli, tmp_path: Path) -> None:
    (tmp_path / ".balsam").mkdir()
    (tmp_path / ".balsam/databases.json").write_text("[")
    done = balsam("server", "--connect", HOME=str(tmp_path)).check()
    assert f"{tmp_path}/.balsam/databases.json" in done.stderr


def test_password_that_others_can_read_is_closed_with_a_notice(balsam: Cli, home: Path) -> None:
    (home / "db/server-info").chmod(0o644)
    assert "0600" in balsam("server", "--connect").check().stderr
    assert balsam("server", "--connect").check().stderr == ""

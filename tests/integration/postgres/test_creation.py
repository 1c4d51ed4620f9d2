import os
from collections.abc import Callable
from pathlib import Path

import pytest

from balsam.exceptions import DatabaseError, UsageError
from balsam.postgres import Cluster, read_server_info
from tests.integration.postgres.conftest import first_value


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let BALSAM_PG_BIN name a server whose initdb does what the given line of shell says."""

    def install(line: str) -> None:
        for name, text in {"initdb": line, "postgres": "echo 'postgres (PostgreSQL) 16.1'"}.items():
            program = tmp_path / name
            program.write_text(f"#!/bin/sh\n{text}\n")
            program.chmod(0o755)
        tmp_path.chmod(0o755)
        monkeypatch.setenv("BALSAM_PG_BIN", str(tmp_path))

    return install


def test_failed_init_says_why_and_takes_its_directory_away(
    new_path: Path, broken: Callable[[str], None]
) -> None:
    broken("echo 'initdb: error: the moon is full' >&2; exit 1")
    with pytest.raises(DatabaseError, match="the moon is full"):
        Cluster(new_path).init()
    assert not new_path.exists()


def test_failed_init_leaves_what_was_in_the_directory_before(
    new_path: Path, broken: Callable[[str], None]
) -> None:
    new_path.mkdir()
    (new_path / "notes").write_text("mine")
    broken("mkdir -p $2/base; exit 1")
    with pytest.raises(DatabaseError):
        Cluster(new_path).init()
    assert (new_path / "notes").read_text() == "mine"
    assert not {"server-info", "balsamdb", "balsamdb.unfinished"} & set(os.listdir(new_path))


def test_init_can_be_done_again_after_it_was_killed(new_path: Path) -> None:
    (new_path / "balsamdb.unfinished/base").mkdir(parents=True)
    Cluster(new_path).init(lambda db_path: first_value(db_path, "SELECT 1"))
    assert not (new_path / "balsamdb.unfinished").exists()


def test_migration_that_fails_leaves_the_server_stopped_and_can_be_done_again(new_path: Path) -> None:
    cluster = Cluster(new_path)

    def fail(db_path: Path) -> None:
        raise DatabaseError("no such luck")

    with pytest.raises(DatabaseError, match="no such luck"):
        cluster.init(fail)
    assert not cluster.status().is_running
    assert cluster.init(lambda db_path: first_value(db_path, "SELECT 1")) is False


def test_lost_server_info_is_made_anew_and_the_data_kept(new_path: Path) -> None:
    cluster = Cluster(new_path)
    cluster.init(lambda db_path: first_value(db_path, "CREATE TABLE kept AS SELECT 42 AS x"))
    old = read_server_info(new_path)
    (new_path / "server-info").unlink()
    (new_path / ".admin-password").unlink()
    cluster.init(lambda db_path: None)
    assert read_server_info(new_path).password != old.password
    cluster.ensure_running()
    assert first_value(new_path, "SELECT x FROM kept") == 42


def test_lost_server_info_of_a_running_server_is_refused(new_path: Path) -> None:
    cluster = Cluster(new_path)
    cluster.init()
    cluster.ensure_running()
    (new_path / "server-info").unlink()
    with pytest.raises(DatabaseError, match="balsam server --stop"):
        cluster.init()
    assert cluster.stop()
    cluster.init()


def test_copied_server_info_is_not_made_a_database(new_path: Path) -> None:
    new_path.mkdir()
    text = '{"host": "login9", "port": 5432}'
    (new_path / "server-info").write_text(text)
    with pytest.raises(DatabaseError, match="login9"):
        Cluster(new_path).init()
    assert (new_path / "server-info").read_text() == text


def test_cluster_of_another_program_is_left_alone(new_path: Path) -> None:
    (new_path / "balsamdb").mkdir(parents=True)
    (new_path / "balsamdb/PG_VERSION").write_text("15\n")
    with pytest.raises(DatabaseError, match="another program"):
        Cluster(new_path).init()
    assert os.listdir(new_path / "balsamdb") == ["PG_VERSION"]


def test_file_in_the_way_and_missing_parent_are_errors_of_the_user(new_path: Path) -> None:
    new_path.write_text("")
    with pytest.raises(UsageError, match="is a file"):
        Cluster(new_path).init()
    with pytest.raises(UsageError, match="mkdir -p"):
        Cluster(new_path.parent / "a/b").init()


def test_files_are_private_under_any_umask(new_path: Path) -> None:
    previous = os.umask(0)
    try:
        Cluster(new_path).init(lambda db_path: None)
    finally:
        os.umask(previous)
    assert not [path for path in new_path.rglob("*") if path.stat().st_mode & 0o022]
    modes = {name: (new_path / name).stat().st_mode & 0o777 for name in os.listdir(new_path)}
    assert {name for name, mode in modes.items() if mode & 0o077} <= {"data", "log", "qsubmit"}

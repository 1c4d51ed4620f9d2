"""A launcher and a database that is down when it starts: it says so, or mends what has died."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from balsam.postgres import Cluster
from tests.commands import Finished, run_balsam
from tests.databases import discard_database


@pytest.fixture
def own_db(tmp_path: Path) -> Iterator[Path]:
    """A database whose server is not running, as `balsam init` leaves it."""
    db_path = tmp_path / "own"
    run_balsam("init", db_path).check()
    yield db_path
    discard_database(db_path)


def launch(db_path: Path) -> Finished:
    return run_balsam(
        *("launcher", "--consume-all", "--job-mode", "serial"),
        env={"BALSAM_DB_PATH": str(db_path)},
        timeout_sec=60,
    )


def test_server_that_was_never_started_is_named_at_once(own_db: Path):
    done = launch(own_db)
    assert done.returncode == 6
    assert "balsam server --connect" in done.stderr and str(own_db) in done.stderr


def test_server_that_has_died_is_started_again(own_db: Path):
    run_balsam("server", "--connect", env={"BALSAM_DB_PATH": str(own_db)}).check()
    pid = Cluster(own_db).status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert "0 jobs finished" in launch(own_db).check().stdout

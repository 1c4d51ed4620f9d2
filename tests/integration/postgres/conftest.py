"""Real clusters of both kinds of installation, each in a directory of its own, never left running."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from balsam.postgres import Cluster, connection_params
from balsam.postgres.binaries import candidates, inspect, wheel_dirs
from tests.databases import discard_database


def system_bin() -> Path | None:
    """Directory of a server that does not come with Balsam."""
    wheels = wheel_dirs()
    found = [path for path in candidates() if path not in wheels]
    return next((path for path in found if (item := inspect(path)) and item.major >= 13), None)


@pytest.fixture(scope="module", params=["system", "wheel"])
def installation(request: pytest.FixtureRequest) -> Iterator[Path]:
    """Directory of a server's programs, which the clusters of the module use."""
    bin_dir = system_bin() if request.param == "system" else next(iter(wheel_dirs()), None)
    if bin_dir is None:
        pytest.skip(f"no {request.param} PostgreSQL is installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BALSAM_PG_BIN", str(bin_dir))
        yield bin_dir


@contextmanager
def database_directory() -> Iterator[Path]:
    """Give the name of a directory that does not exist; whatever is made there is stopped and deleted."""
    parent = Path(tempfile.mkdtemp(prefix="pg-", dir=os.environ["BALSAM_TEST_RUN_DIR"]))
    try:
        yield parent / "db"
    finally:
        discard_database(parent / "db")
        shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture
def new_path() -> Iterator[Path]:
    """Where a database can be made."""
    with database_directory() as path:
        yield path


@pytest.fixture(scope="module")
def made(installation: Path) -> Iterator[Cluster]:
    """A cluster of the module."""
    with database_directory() as path:
        cluster = Cluster(path)
        cluster.init()
        yield cluster


@pytest.fixture
def cluster(made: Cluster) -> Cluster:
    """The cluster of the module, running."""
    made.ensure_running()
    return made


@pytest.fixture
def query(made: Cluster) -> Callable[..., Any]:
    """Run a statement as a script does and return its first value: ``query("SELECT 1")``."""
    return lambda sql: first_value(made.db_path, sql)


def first_value(db_path: Path, sql: str) -> Any:
    """Log in, run a statement, and return the first value of its first row (None if it has none)."""
    connection = psycopg2.connect(**connection_params(db_path))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None
    finally:
        connection.close()

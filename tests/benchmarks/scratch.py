"""A throw-away home and database for one benchmark: nothing of them is left at the end."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connections

import balsam
from tests.databases import create_database, discard_database

_LAUNCHER_TIMEOUT_SEC = 1800


@contextmanager
def scratch_database(parent: Path | None = None) -> Iterator[Path]:
    """Make the active database of this process and its children; gives the directory above it."""
    directory = Path(tempfile.mkdtemp(prefix="balsam-bench-", dir=parent))
    home = directory / "home"
    home.mkdir()
    db_path = directory / "db"
    before = dict(os.environ)
    os.environ.update(
        HOME=str(home),
        BALSAM_DB_PATH=str(db_path),
        PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    )
    try:
        balsam.setup()
        create_database(db_path)
        yield directory
    finally:
        connections.close_all()
        discard_database(db_path)
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(directory, ignore_errors=True)


def run_launcher(*options: str) -> str:
    """Run a launcher in serial mode until all jobs are done; returns what it printed.

    Raises RuntimeError with that if it fails.
    """
    command = ["balsam", "launcher", "--consume-all", "--job-mode", "serial", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LAUNCHER_TIMEOUT_SEC)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout

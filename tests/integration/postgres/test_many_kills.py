"""Kill the server again and again while scripts write and revive it: no acknowledged row is lost."""

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from balsam.postgres import Cluster, connection_params
from balsam.postgres.postmaster import running_postmaster
from tests.waiting import wait_until

KILLS = 20
#: Inserts rows for ever and prints those the server has acknowledged; brings the server back when it is gone.
WRITER = """
import sys, psycopg2
from pathlib import Path
from balsam.exceptions import DatabaseError
from balsam.postgres import Cluster, connection_params
cluster, row = Cluster(Path(sys.argv[1])), int(sys.argv[2])
while True:
    try:
        cluster.revive()
        connection = psycopg2.connect(**connection_params(cluster.db_path))
        connection.autocommit = True
        while True:
            row += 1
            connection.cursor().execute("INSERT INTO rows VALUES (%s)", (row,))
            print(row, flush=True)
    except (psycopg2.Error, DatabaseError):
        continue
"""


@pytest.fixture
def writers(cluster: Cluster, tmp_path: Path) -> Iterator[list[Path]]:
    """Three writers at work, and the files of what was acknowledged."""
    outputs = [tmp_path / str(i) for i in range(3)]
    processes = []
    try:
        for i, output in enumerate(outputs):
            command = [sys.executable, "-c", WRITER, str(cluster.db_path), str(i * 10**8)]
            with output.open("w") as file:
                processes.append(subprocess.Popen(command, stdout=file))
        yield outputs
    finally:
        for process in processes:
            process.kill()
            process.wait()


def acknowledged(outputs: list[Path]) -> set[int]:
    whole_lines = [line for path in outputs for line in path.read_text().splitlines(keepends=True)]
    return {int(line) for line in whole_lines if line.endswith("\n")}


def test_no_acknowledged_row_is_lost_over_many_kills(cluster: Cluster, writers: list[Path]) -> None:
    connection = psycopg2.connect(**connection_params(cluster.db_path))
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE rows (n bigint)")
    connection.close()
    data_dir = cluster.db_path / "balsamdb"
    chance = random.Random(20)
    killed: list[int] = []
    for _ in range(KILLS):
        pid = wait_until(lambda: running_postmaster(data_dir))
        assert pid not in killed
        if chance.random() < 0.7:  # else it is killed while it starts
            before = len(acknowledged(writers))
            wait_until(lambda before=before: len(acknowledged(writers)) > before)
        psutil.Process(pid).kill()
        killed.append(pid)
        wait_until(lambda pid=pid: running_postmaster(data_dir) != pid)
    before = len(acknowledged(writers))
    wait_until(lambda: len(acknowledged(writers)) > before)
    rows = acknowledged(writers)
    cluster.ensure_running()
    connection = psycopg2.connect(**connection_params(cluster.db_path))
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT n FROM rows")
        stored = [n for (n,) in cursor.fetchall()]
    connection.close()
    assert len(stored) == len(set(stored))
    assert rows <= set(stored)

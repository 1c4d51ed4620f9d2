"""Connections: more processes than the server has room for, idle ones, broken ones, and forked ones."""

import multiprocessing
import os
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg2
import pytest
from django.db import OperationalError, connection, transaction
from pytest_django import DjangoDbBlocker

from balsam.core.backend import base
from balsam.core.models import BalsamJob
from balsam.exceptions import DatabaseUnreachable, NoDatabaseError
from balsam.postgres import connection_params
from tests.conftest import active_database
from tests.databases import create_database, discard_database
from tests.jobs import add_job, add_jobs

#: The issue asks for 300; so many take a minute here.
PROCESSES = int(os.environ.get("BALSAM_TEST_PROCESSES", "60"))


def in_processes(count: int, action: Callable[[int], None]) -> list[str]:
    """Run an action in forked processes, all at once; return the errors of those that failed."""
    context = multiprocessing.get_context("fork")
    errors = context.SimpleQueue()

    def run(index: int) -> None:
        with ExitStack() as stack:
            stack.callback(lambda: errors.put(traceback.format_exc()))
            action(index)
            stack.pop_all()

    processes = [context.Process(target=run, args=(index,)) for index in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=240)
    failed = [process for process in processes if process.exitcode != 0]
    return [errors.get() if not errors.empty() else f"exit code {process.exitcode}" for process in failed]


@pytest.fixture(autouse=True)
def any_database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let these tests use databases of their own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def small_server(tmp_path: Path) -> Iterator[Path]:
    """A database whose server takes ten connections at once."""
    db_path = tmp_path / "small"
    with active_database(db_path):
        cluster = create_database(db_path)
        try:
            with open(db_path / "balsamdb" / "local.conf", "a") as file:
                file.write("max_connections = 10\nsuperuser_reserved_connections = 2\n")
            cluster.stop()
            cluster.ensure_running()
            yield db_path
        finally:
            connection.close()
            discard_database(db_path)


def test_more_scripts_than_connections_all_get_their_work_done(small_server: Path):
    jobs = add_jobs(PROCESSES)
    connection.close()

    def square(index: int) -> None:
        os.environ["BALSAM_JOB_ID"] = str(jobs[index].pk)
        from balsam.launcher import dag

        assert dag.current_job is not None
        dag.current_job.data["y"] = index**2
        dag.current_job.save()

    assert in_processes(PROCESSES, square) == []
    assert {job.data["y"] for job in BalsamJob.objects.all()} == {i**2 for i in range(PROCESSES)}


def test_scripts_that_add_jobs_at_once_all_succeed(small_server: Path):
    parent = add_job()
    connection.close()

    def add(index: int) -> None:
        add_job(parent, name=str(index))
        BalsamJob(name=f"{index}b", application="true").save()

    assert in_processes(PROCESSES // 2, add) == []
    assert parent.get_children().count() == PROCESSES // 2


def test_a_connection_that_the_server_ended_is_replaced(db: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(base, "_IDLE_SEC", 0.0)
    job = add_job()
    end_connection(db)

    job.args = "-x"
    job.save()
    assert BalsamJob.objects.get(pk=job.pk).args == "-x"


def test_a_transaction_whose_connection_ended_fails(db: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(base, "_IDLE_SEC", 0.0)
    with pytest.raises(OperationalError):
        with transaction.atomic():
            add_job()
            end_connection(db)
            BalsamJob.objects.count()
    assert BalsamJob.objects.count() == 0


def end_connection(db_path: Path) -> None:
    """End this process's connection from the server's side."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    other = psycopg2.connect(**connection_params(db_path))
    with other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [pid])
    other.close()


def test_a_transaction_with_a_long_last_statement_is_committed(db: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(base, "_IDLE_SEC", 0.0)
    with transaction.atomic():
        add_job()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.01)")

    assert BalsamJob.objects.count() == 1


def test_a_forked_child_leaves_the_connection_to_its_parent(db: Path):
    job = add_job()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()

    def save(index: int) -> None:
        mine = BalsamJob.objects.get(pk=job.pk)
        mine.data["child"] = index
        mine.save()

    assert in_processes(3, save) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() == pid
    job.refresh_from_db()
    assert "child" in job.data


def test_idle_connections_of_jobs_are_ended_by_the_server(db: Path, monkeypatch: pytest.MonkeyPatch):
    assert idle_limit() == "0"
    connection.close()
    monkeypatch.setenv("BALSAM_JOB_ID", str(uuid.uuid4()))

    assert idle_limit() == "10s"
    add_jobs(3)
    assert len(list(BalsamJob.objects.iterator(chunk_size=1))) == 3
    assert idle_limit() == "0"


def idle_limit() -> str:
    with connection.cursor() as cursor:
        if connection.pg_version < 140000:
            pytest.skip("this server knows no limit of idleness")
        cursor.execute("SHOW idle_session_timeout")
        return str(cursor.fetchone()[0])


def test_a_server_that_is_down_is_told_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    db_path = tmp_path / "down"
    with active_database(db_path):
        cluster = create_database(db_path)
        try:
            connection.close()
            cluster.stop()
            monkeypatch.setattr(base.policy, "down_sec", 0.0)
            with pytest.raises(DatabaseUnreachable, match="balsam server --connect"):
                BalsamJob.objects.count()
        finally:
            discard_database(db_path)


def test_no_active_database_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("BALSAM_DB_PATH", raising=False)
    with pytest.raises(NoDatabaseError, match="balsamactivate"):
        BalsamJob.objects.count()


def test_a_server_that_comes_back_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    db_path = tmp_path / "restarting"
    with active_database(db_path):
        cluster = create_database(db_path)
        try:
            connection.close()
            cluster.stop()
            monkeypatch.setattr(base.policy, "down_sec", 120.0)
            starter = threading.Thread(target=cluster.ensure_running)
            starter.start()
            assert BalsamJob.objects.count() == 0
            starter.join()
        finally:
            discard_database(db_path)

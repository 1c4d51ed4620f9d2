import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from balsam.exceptions import ConflictError, DatabaseError
from balsam.postgres import Cluster, connection_params, control, read_server_info
from balsam.postgres.postmaster import orphans, running_postmaster
from tests.waiting import wait_until

Query = Callable[[str], Any]
ENSURE = "import sys; from pathlib import Path; from balsam.postgres import Cluster; "
ENSURE += "print(Cluster(Path(sys.argv[1])).ensure_running())"


def kill_postmaster(cluster: Cluster) -> int:
    pid = cluster.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: running_postmaster(cluster.db_path / "balsamdb") is None)
    return pid


def servers_of(cluster: Cluster) -> list[int]:
    """Pids of all first processes of servers on the cluster's directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.cwd() == str(cluster.db_path / "balsamdb"):
                found.append(process)
        except psutil.Error:
            continue
    return [process.pid for process in found if not process.cmdline()[0].startswith("postgres:")]


def test_killed_server_comes_back_with_what_was_committed(cluster: Cluster, query: Query) -> None:
    query("DROP TABLE IF EXISTS kept")
    query("CREATE TABLE kept AS SELECT 42 AS x")
    before = (cluster.db_path / "server-info").read_bytes()
    kill_postmaster(cluster)
    assert cluster.revive()
    assert query("SELECT x FROM kept") == 42
    assert (cluster.db_path / "server-info").read_bytes() == before


def test_what_a_killed_server_left_working_is_ended_first(cluster: Cluster) -> None:
    client = psycopg2.connect(**connection_params(cluster.db_path))
    busy = threading.Thread(target=sleep_in, args=(client,))
    busy.start()
    data_dir = cluster.db_path / "balsamdb"
    wait_until(lambda: any("SELECT" in word for p in orphans(data_dir) for word in p.cmdline()))
    left = [process.pid for process in orphans(data_dir)]
    kill_postmaster(cluster)
    assert cluster.ensure_running()
    assert not {process.pid for process in orphans(data_dir)} & set(left)
    busy.join()


def sleep_in(client: Any) -> None:
    with pytest.raises(psycopg2.OperationalError):
        client.cursor().execute("SELECT pg_sleep(600)")


def test_pid_file_from_before_a_reboot_does_not_stop_the_start(cluster: Cluster) -> None:
    pid_file = cluster.db_path / "balsamdb/postmaster.pid"
    lines = pid_file.read_text().splitlines()
    cluster.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")  # the number is ours today
    assert cluster.ensure_running()


def test_pid_file_of_a_stranger_is_cleared_by_a_stop(cluster: Cluster) -> None:
    pid_file = cluster.db_path / "balsamdb/postmaster.pid"
    text = pid_file.read_text()
    cluster.stop()
    pid_file.write_text(text.replace(text.splitlines()[0], str(os.getppid()), 1))
    assert not cluster.stop()
    assert not pid_file.exists()


def test_taken_port_gives_the_next_one_and_is_published(cluster: Cluster, query: Query) -> None:
    port = read_server_info(cluster.db_path).port
    cluster.stop()
    with socket.create_server(("127.0.0.1", port)):
        assert cluster.ensure_running()
        assert read_server_info(cluster.db_path).port == port + 1
        assert query("SELECT 1") == 1
    cluster.reset()
    assert read_server_info(cluster.db_path).port == port + 1


def test_port_taken_between_look_and_start_is_tried_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from balsam.postgres import starting

    port = read_server_info(cluster.db_path).port
    cluster.stop()
    with socket.create_server(("127.0.0.1", port)):
        answers = iter([port])
        real = starting.next_free_port
        monkeypatch.setattr(starting, "next_free_port", lambda wanted: next(answers, None) or real(wanted))
        assert cluster.ensure_running()
    assert read_server_info(cluster.db_path).port == port + 1


def test_many_who_miss_a_killed_server_start_it_once(cluster: Cluster, query: Query) -> None:
    kill_postmaster(cluster)
    callers = [
        subprocess.Popen(
            [sys.executable, "-c", ENSURE, str(cluster.db_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(8)
    ]
    said = [caller.communicate(timeout=60)[0].strip() for caller in callers]
    assert sorted(said) == ["False"] * 7 + ["True"]
    assert servers_of(cluster) == [cluster.status().pid]
    assert query("SELECT 1") == 1


def test_server_outlives_the_session_that_started_it(cluster: Cluster) -> None:
    cluster.stop()
    caller = subprocess.Popen(
        [sys.executable, "-c", ENSURE + "; sys.stdin.read()", str(cluster.db_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "BALSAM_SESSION": "42", "PGPORT": "1"},
    )
    wait_until(lambda: cluster.status().is_running and cluster.status().pid)
    pid = cluster.status().pid
    os.killpg(caller.pid, signal.SIGKILL)
    caller.communicate()
    assert cluster.status().pid == pid
    assert pid is not None
    server = psutil.Process(pid)
    assert not {"BALSAM_SESSION", "PGPORT"} & set(server.environ())
    assert os.getsid(pid) != os.getsid(0)


@contextmanager
def recorded_elsewhere(cluster: Cluster) -> Iterator[Path]:
    """Let the record of a stopped cluster name another host."""
    record = cluster.db_path / ".server-owner"
    process = {"host": "login9", "boot_id": "another", "pid": 4711, "start_time": 1.0}
    text = json.dumps({"process": process, "is_starting": False})
    record.write_text(text)
    try:
        yield record
    finally:
        if record.read_text() == text:
            record.unlink()


def test_server_recorded_on_another_host_is_not_started(cluster: Cluster) -> None:
    cluster.stop()
    with recorded_elsewhere(cluster) as record:
        before = record.read_text()
        for act in (cluster.ensure_running, cluster.revive, cluster.stop, cluster.reset):
            with pytest.raises(ConflictError, match="login9"):
                act()
        assert record.read_text() == before
        assert servers_of(cluster) == []


def test_server_of_another_host_is_taken_over_on_demand(cluster: Cluster) -> None:
    cluster.stop()
    with recorded_elsewhere(cluster):
        assert cluster.ensure_running(force_takeover=True)
    assert cluster.status().is_running


def test_stop_that_fails_changes_no_record(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("server-info", ".server-owner")
    before = [(cluster.db_path / name).read_bytes() for name in names]
    pid = cluster.status().pid
    assert pid is not None
    monkeypatch.setattr(control, "STOP_SEC", 0.2)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseError, match=f"process {pid}.* has not stopped"):
            cluster.stop()
        assert [(cluster.db_path / name).read_bytes() for name in names] == before
    finally:
        os.kill(pid, signal.SIGCONT)
    monkeypatch.undo()
    wait_until(lambda: not cluster.status().is_running)


def test_start_that_fails_says_why_and_leaves_no_claim(cluster: Cluster) -> None:
    cluster.stop()
    conf = cluster.db_path / "balsamdb/local.conf"
    text = conf.read_text()
    conf.write_text(text + "shared_buffers = lots\n")
    try:
        with pytest.raises(DatabaseError) as caught:
            cluster.ensure_running()
    finally:
        conf.write_text(text)
    assert 'invalid value for parameter "shared_buffers": "lots"' in str(caught.value)
    assert "balsam server --connect" in str(caught.value)
    assert not (cluster.db_path / ".server-owner").exists()
    assert cluster.ensure_running()


def test_start_that_fails_after_a_crash_can_be_tried_again(cluster: Cluster) -> None:
    conf = cluster.db_path / "balsamdb/local.conf"
    text = conf.read_text()
    kill_postmaster(cluster)
    conf.write_text("shared_buffers = lots\n")
    try:
        for _ in range(2):
            with pytest.raises(DatabaseError, match="did not start"):
                cluster.revive()
    finally:
        conf.write_text(text)
    assert cluster.revive()


def test_torn_server_info_is_named_and_the_server_can_be_stopped(cluster: Cluster) -> None:
    path = cluster.db_path / "server-info"
    text = path.read_text()
    path.write_text(text[:40])
    try:
        for act in (cluster.ensure_running, cluster.revive, cluster.status):
            with pytest.raises(DatabaseError, match=str(path)):
                act()
        assert cluster.stop()
        assert path.read_text() == text[:40]
    finally:
        path.write_text(text)


def test_lost_socket_is_made_up_for_by_tcp(cluster: Cluster, query: Query) -> None:
    info = read_server_info(cluster.db_path)
    pid = cluster.status().pid
    (Path(info.socket_dir) / f".s.PGSQL.{info.port}").unlink()
    assert not cluster.ensure_running()
    assert cluster.status().pid == pid
    assert query("SELECT inet_server_port()") == info.port
    cluster.reset()

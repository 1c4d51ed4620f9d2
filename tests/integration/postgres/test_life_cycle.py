import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest

from balsam.exceptions import DatabaseError, DatabaseUnreachable
from balsam.postgres import Cluster, connection_params, read_server_info
from balsam.postgres.sessions import active_connections
from tests.integration.postgres.conftest import first_value

Query = Callable[[str], Any]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def pid_of(cluster: Cluster) -> int:
    pid = cluster.status().pid
    assert pid is not None
    return pid


def test_init_makes_everything_and_leaves_the_server_stopped(installation: Path, new_path: Path) -> None:
    cluster = Cluster(new_path)
    assert cluster.init()
    assert not cluster.status().is_running
    for name in ("data", "log", "qsubmit", "balsamdb"):
        assert (new_path / name).is_dir()
    assert not (new_path / ".server-owner").exists()
    assert mode(new_path / "balsamdb") == 0o700
    assert {mode(new_path / name) for name in ("server-info", ".admin-password")} == {0o600}
    info = read_server_info(new_path)
    assert len(info.password) >= 32
    assert info.pg_bin == str(installation)


def test_role_of_scripts_owns_the_database_and_is_no_superuser(cluster: Cluster, query: Query) -> None:
    assert query("SELECT current_user = pg_get_userbyid(datdba) FROM pg_database WHERE datname='balsam'")
    assert query("SELECT usesuper FROM pg_user WHERE usename = current_user") is False
    query("CREATE TABLE IF NOT EXISTS mine (x int)")


def test_server_is_durable_and_keeps_to_this_host(cluster: Cluster, query: Query) -> None:
    for name, value in {
        "fsync": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "password_encryption": "scram-sha-256",
        "listen_addresses": "127.0.0.1",
        "dynamic_shared_memory_type": "mmap",
    }.items():
        assert query(f"SELECT current_setting('{name}')") == value


def test_every_setting_of_ours_is_in_force(cluster: Cluster) -> None:
    admin = (cluster.db_path / ".admin-password").read_text().strip()
    params = {**connection_params(cluster.db_path), "user": "balsam_admin", "password": admin}
    connection = psycopg2.connect(**params)
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL")
        assert cursor.fetchall() == []
        cursor.execute("SELECT count(*) FROM pg_file_settings WHERE applied AND sourcefile ~ 'balsam.conf$'")
        assert cursor.fetchone() > (20,)
    connection.close()


def test_running_server_is_left_alone(cluster: Cluster) -> None:
    before = pid_of(cluster)
    assert not cluster.ensure_running()
    assert pid_of(cluster) == before


def test_address_stays_the_same_over_stop_and_start(cluster: Cluster) -> None:
    before = (cluster.db_path / "server-info").read_bytes()
    assert cluster.stop()
    assert not cluster.stop()
    assert not cluster.status().is_running
    assert (cluster.db_path / "server-info").read_bytes() == before
    assert cluster.ensure_running()
    assert (cluster.db_path / "server-info").read_bytes() == before


def test_reset_stops_and_starts(cluster: Cluster) -> None:
    before = pid_of(cluster)
    cluster.reset()
    assert cluster.status().is_running
    assert pid_of(cluster) != before


def test_unknown_keys_survive_a_start_that_changes_the_address(cluster: Cluster) -> None:
    cluster.stop()
    path = cluster.db_path / "server-info"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "note": "mine", "host": "old-host"}))
    cluster.ensure_running()
    assert json.loads(path.read_text()) == {**document, "note": "mine"}


def test_stop_cuts_off_clients_and_keeps_what_they_committed(cluster: Cluster, query: Query) -> None:
    query("CREATE TABLE kept AS SELECT 42 AS x")
    client = psycopg2.connect(**connection_params(cluster.db_path))
    cluster.stop()
    with pytest.raises(psycopg2.OperationalError):
        client.cursor().execute("SELECT 1")
    cluster.ensure_running()
    assert query("SELECT x FROM kept") == 42


@pytest.mark.parametrize("host", ["socket", "127.0.0.1"])
@pytest.mark.parametrize("user", ["owner", "balsam_admin"])
@pytest.mark.parametrize("password", ["", "wrong"])
def test_nobody_logs_in_without_the_password(cluster: Cluster, host: str, user: str, password: str) -> None:
    params = {**connection_params(cluster.db_path), "password": password or None, "passfile": "/dev/null"}
    if host != "socket":
        params["host"] = host
    if user != "owner":
        params["user"] = user
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(**params)


def test_copied_server_info_is_enough_for_a_client(cluster: Cluster, new_path: Path, query: Query) -> None:
    new_path.mkdir()
    document = json.loads((cluster.db_path / "server-info").read_text())
    copy = {**document, "thetahost": document["host"], "host": "localhost"}
    (new_path / "server-info").write_text(json.dumps(copy))
    client = Cluster(new_path)
    assert not client.ensure_running()
    assert client.status().is_running
    assert connection_params(new_path)["host"] == "localhost"
    assert first_value(new_path, "SELECT inet_server_port()") == document["port"]
    assert json.loads((new_path / "server-info").read_text()) == copy
    assert not client.stop()
    assert cluster.status().is_running


def test_client_without_its_tunnel_is_told_so(made: Cluster, new_path: Path) -> None:
    new_path.mkdir()
    made.ensure_running()
    document = json.loads((made.db_path / "server-info").read_text())
    (new_path / "server-info").write_text(json.dumps({**document, "host": "localhost"}))
    made.stop()
    with pytest.raises(DatabaseUnreachable, match="tunnel"):
        Cluster(new_path).ensure_running()
    assert os.listdir(new_path) == ["server-info"]


def test_init_of_an_existing_one_migrates_it_and_keeps_the_rest(cluster: Cluster, query: Query) -> None:
    query("CREATE TABLE precious AS SELECT 1 AS x")
    cluster.stop()
    before = (cluster.db_path / "server-info").read_bytes()
    seen = []
    is_new = cluster.init(lambda db_path: seen.append(first_value(db_path, "SELECT x FROM precious")))
    assert (is_new, seen) == (False, [1])
    assert not cluster.status().is_running
    assert (cluster.db_path / "server-info").read_bytes() == before


def test_init_of_one_in_use_leaves_it_running(cluster: Cluster) -> None:
    before = pid_of(cluster)
    cluster.init(lambda db_path: None)
    assert pid_of(cluster) == before


def test_server_stopped_in_order_is_not_revived(cluster: Cluster) -> None:
    assert not cluster.revive()
    cluster.stop()
    with pytest.raises(DatabaseUnreachable, match="has been stopped"):
        cluster.revive()
    assert not cluster.status().is_running


def test_owners_own_settings_win(cluster: Cluster, query: Query) -> None:
    conf = cluster.db_path / "balsamdb/local.conf"
    text = conf.read_text()
    conf.write_text(text + "work_mem = 5MB\n")
    cluster.reset()
    assert query("SHOW work_mem") == "5MB"
    conf.write_text(text)


def test_connections_are_listed_without_our_own(cluster: Cluster) -> None:
    client = psycopg2.connect(**connection_params(cluster.db_path), application_name="a script")
    cursor = client.cursor()
    cursor.execute("SELECT 'some rather long question that goes on and on beyond sixty letters'")
    rows = active_connections(cluster.db_path)
    assert [(row.application, row.state) for row in rows] == [("a script", "idle in transaction")]
    assert len(rows[0].query) == 60
    client.close()


def test_passwords_are_nowhere_but_in_their_files(cluster: Cluster, query: Query) -> None:
    secrets = [
        read_server_info(cluster.db_path).password.encode(),
        (cluster.db_path / ".admin-password").read_bytes().strip(),
    ]
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or []).encode()
        assert not any(secret in words for secret in secrets)
    holders = {
        path.name
        for path in cluster.db_path.rglob("*")
        if path.is_file() and any(secret in path.read_bytes() for secret in secrets)
    }
    assert holders == {"server-info", ".admin-password"}


def test_values_of_statements_are_not_logged(cluster: Cluster, query: Query) -> None:
    with pytest.raises(psycopg2.Error):
        query("SELECT 1/0 -- canary-in-the-log")
    logs = list((cluster.db_path / "balsamdb/log").iterdir())
    assert logs
    assert not any(b"canary-in-the-log" in log.read_bytes() for log in logs)


def test_copy_of_a_running_database_does_not_pass_for_the_original(
    cluster: Cluster, new_path: Path, query: Query
) -> None:
    cluster.stop()
    owner = cluster.db_path / ".server-owner"
    shutil.copytree(cluster.db_path, new_path)
    cluster.ensure_running()
    shutil.copy(owner, new_path)
    copy = Cluster(new_path)
    assert not copy.status().is_running
    with pytest.raises(DatabaseError, match=f"a copy of {cluster.db_path}"):
        connection_params(new_path)
    assert copy.ensure_running()
    assert read_server_info(new_path).port != read_server_info(cluster.db_path).port
    assert read_server_info(new_path).instance_id != read_server_info(cluster.db_path).instance_id
    assert pid_of(copy) != pid_of(cluster)


def test_directory_that_moved_while_its_server_runs_is_still_that_server(
    cluster: Cluster, new_path: Path
) -> None:
    before = pid_of(cluster)
    os.rename(cluster.db_path, new_path)
    try:
        assert not Cluster(new_path).ensure_running()
        assert pid_of(Cluster(new_path)) == before
        assert first_value(new_path, "SELECT 1") == 1
    finally:
        os.rename(new_path, cluster.db_path)
    cluster.reset()

"""Other users of a database: real roles on real servers of both kinds of installation."""

import json
import os
import pwd
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import errors

from balsam.exceptions import BalsamError, ConflictError, NotFoundError, UsageError
from balsam.postgres import Cluster, connection_params, read_server_info
from balsam.postgres.layout import Layout
from balsam.postgres.sharing import add_user, drop_user, list_users
from tests.waiting import wait_until

#: Names that a shell, SQL, a format string or a path would take for something else.
HOSTILE_NAMES = [
    'o"brien',
    "o'brien",
    "a b",
    "x; DROP TABLE t; --",
    "50%s",
    "{group}",
    "../../etc/passwd",
    "$(reboot)",
    "Ümläut",
    "UPPER",
    "select",
    "back\\slash",
    "x" * 63,
]


@pytest.fixture
def db_path(cluster: Cluster) -> Iterator[Path]:
    """A running database with one table and no users but its owner."""
    run(
        connection_params(cluster.db_path), "DROP TABLE IF EXISTS t, later; CREATE TABLE t (id serial, x int)"
    )
    yield cluster.db_path
    cluster.ensure_running()
    for user in list_users(cluster.db_path):
        if not user.is_owner:
            drop_user(cluster.db_path, user.user)


@pytest.fixture
def client_of(db_path: Path, tmp_path: Path) -> Callable[[str], Path]:
    """Make the directory of a user of the database, from the file the owner hands over."""

    def make(user: str) -> Path:
        directory = tmp_path / f"client-{len(list(tmp_path.iterdir()))}"
        directory.mkdir()
        (directory / "server-info").write_text(Layout(db_path).user_info(user).read_text())
        return directory

    return make


def run(params: Any, sql: str) -> Any:
    connection = psycopg2.connect(**params)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


def names(db_path: Path) -> list[str]:
    return [user.user for user in list_users(db_path)]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_user_of_any_name_works_and_goes(db_path: Path, client_of: Callable[[str], Path], name: str) -> None:
    owner = names(db_path)
    path = add_user(db_path, name).info_path
    assert path.parent == db_path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(db_path) == [*owner, name]
    params = connection_params(client_of(name))
    assert params["user"] == name
    assert run(params, "INSERT INTO t (x) VALUES (1) RETURNING current_user") == [(name,)]
    drop_user(db_path, name)
    assert names(db_path) == owner
    assert not path.exists()
    with pytest.raises(psycopg2.OperationalError):
        run(params, "SELECT 1")


def test_user_reads_and_writes_tables_of_then_and_later(
    db_path: Path, client_of: Callable[[str], Path]
) -> None:
    add_user(db_path, "maria")
    run(connection_params(db_path), "CREATE TABLE later (id serial, x int)")
    params = connection_params(client_of("maria"))
    for table in ("t", "later"):
        run(params, f"INSERT INTO {table} (x) VALUES (7); UPDATE {table} SET x = 8")
        assert run(params, f"SELECT x FROM {table}") == [(8,)]
        assert run(params, f"SELECT setval('{table}_id_seq', 5)") == [(5,)]
        run(params, f"DELETE FROM {table}")


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE t",
        "ALTER TABLE t ADD y int",
        "CREATE TABLE mine (i int)",
        "CREATE ROLE other",
        "ALTER ROLE balsam_admin PASSWORD 'x'",
        "GRANT balsam_users TO maria WITH ADMIN OPTION",
        "SET ROLE balsam_admin",
        "SELECT rolpassword FROM pg_authid",
        "COPY t TO '/tmp/stolen'",
        "COPY t FROM PROGRAM 'id'",
    ],
)
def test_user_may_not_change_tables_roles_or_files(
    db_path: Path, client_of: Callable[[str], Path], sql: str
) -> None:
    add_user(db_path, "maria")
    with pytest.raises((errors.InsufficientPrivilege, errors.InvalidGrantOperation)):
        run(connection_params(client_of("maria")), sql)


def test_owner_still_makes_tables_after_sharing(db_path: Path) -> None:
    add_user(db_path, "maria")
    run(connection_params(db_path), "CREATE TABLE later (x int)")


def test_every_user_has_a_password_of_their_own(db_path: Path, client_of: Callable[[str], Path]) -> None:
    for name in ("maria", "li"):
        add_user(db_path, name)
    paths = (db_path, client_of("maria"), client_of("li"))
    owner, maria, li = (connection_params(path) for path in paths)
    assert len({owner["password"], maria["password"], li["password"]}) == 3
    for wrong in (owner["password"], li["password"], ""):
        with pytest.raises(psycopg2.OperationalError):
            run({**maria, "password": wrong}, "SELECT 1")


def test_password_is_stored_as_a_scram_verifier_only(db_path: Path) -> None:
    add_user(db_path, "maria")
    admin = {**connection_params(db_path), "user": "balsam_admin"}
    admin["password"] = (db_path / ".admin-password").read_text().strip()
    ((verifier,),) = run(admin, "SELECT rolpassword FROM pg_authid WHERE rolname = 'maria'")
    assert verifier.startswith("SCRAM-SHA-256$")


def test_balsam_user_chooses_the_role(
    db_path: Path, client_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_user(db_path, "maria")
    client = client_of("maria")
    document = json.loads((client / "server-info").read_text())
    del document["user"]
    (client / "server-info").write_text(json.dumps(document))
    monkeypatch.setenv("BALSAM_USER", "maria")
    assert run(connection_params(client), "SELECT current_user") == [("maria",)]
    assert names(db_path)[1:] == ["maria"]  # the owner's own work does not follow the variable


def test_connections_of_a_dropped_user_are_cut(db_path: Path, client_of: Callable[[str], Path]) -> None:
    add_user(db_path, "maria")
    connection = psycopg2.connect(**connection_params(client_of("maria")))
    assert [user.connections for user in list_users(db_path)][1:] == [1]
    drop_user(db_path, "maria")
    with pytest.raises(psycopg2.OperationalError), connection.cursor() as cursor:
        wait_until(lambda: cursor.execute("SELECT 1"), what="the end of the connection")
    connection.close()


@pytest.mark.parametrize(
    "name", ["", "pg_monitor", "balsam_admin", "balsam_users", "public", "x" * 64, "ä" * 32, "a\nb", "a\x00b"]
)
def test_name_that_cannot_be_a_user_is_refused(db_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        add_user(db_path, name)
    assert len(names(db_path)) == 1


def test_user_added_twice_is_a_conflict_and_keeps_the_password(db_path: Path) -> None:
    before = add_user(db_path, "maria").info_path.read_text()
    with pytest.raises(ConflictError, match=r"a user of the database .* already"):
        add_user(db_path, "maria")
    assert Layout(db_path).user_info("maria").read_text() == before


def test_user_who_comes_back_has_a_new_password(db_path: Path) -> None:
    before = json.loads(add_user(db_path, "maria").info_path.read_text())
    drop_user(db_path, "maria")
    after = json.loads(add_user(db_path, "maria").info_path.read_text())
    assert before["password"] != after["password"]


@pytest.mark.parametrize(("name", "error"), [("nobody here", NotFoundError), ("balsam_admin", NotFoundError)])
def test_who_is_no_user_cannot_be_dropped(db_path: Path, name: str, error: type[BalsamError]) -> None:
    with pytest.raises(error, match="is no user"):
        drop_user(db_path, name)


def test_owner_can_neither_be_added_nor_dropped(db_path: Path) -> None:
    owner = read_server_info(db_path).user
    for change in (add_user, drop_user):
        with pytest.raises(ConflictError, match=r"own(er|s)"):
            change(db_path, owner)


def test_user_cannot_manage_users(db_path: Path, client_of: Callable[[str], Path]) -> None:
    add_user(db_path, "maria")
    client = client_of("maria")
    for work in (
        lambda: list_users(client),
        lambda: add_user(client, "li"),
        lambda: drop_user(client, "maria"),
    ):
        with pytest.raises(BalsamError, match="Only the owner"):
            work()


def test_file_of_a_user_tells_nothing_of_the_owner(db_path: Path) -> None:
    path = add_user(db_path, "maria").info_path
    assert read_server_info(db_path).password not in path.read_text()
    assert json.loads(path.read_text())["owner"] == read_server_info(db_path).user
    assert path.stat().st_uid == os.geteuid()


def test_users_survive_a_restart(db_path: Path, cluster: Cluster, client_of: Callable[[str], Path]) -> None:
    add_user(db_path, "maria")
    cluster.reset()
    assert run(connection_params(client_of("maria")), "SELECT current_user") == [("maria",)]


def test_files_of_users_follow_the_server_to_another_port(
    db_path: Path, cluster: Cluster, client_of: Callable[[str], Path]
) -> None:
    path = add_user(db_path, "maria").info_path
    (db_path / "server-info-of-somebody-else").write_text("no file of ours")
    before = read_server_info(db_path).port
    cluster.stop()
    with socket.create_server(("127.0.0.1", before)):
        cluster.ensure_running()
    assert json.loads(path.read_text())["port"] == read_server_info(db_path).port != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run(connection_params(client_of("maria")), "SELECT current_user") == [("maria",)]
    assert (db_path / "server-info-of-somebody-else").read_text() == "no file of ours"


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: only root can give files away")
def test_file_of_an_account_of_this_machine_is_its_own(db_path: Path, cluster: Cluster) -> None:
    added = add_user(db_path, "nobody")
    assert added.can_read
    cluster.reset()
    found = added.info_path.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (pwd.getpwnam("nobody").pw_uid, 0o600)

"""Servers as people run them: deployed, encrypted, watched, stopped amid requests, migrated."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg2
import pytest

from balsam.lib.processes import is_alive
from balsam.postgres import Cluster, connection_params
from balsam.server import running
from balsam.server.logs import start_logging
from tests.commands import run_balsam, script_path
from tests.databases import discard_database
from tests.serving import PASSWORD, leave, log_in
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory that was deployed, with a certificate of its own; nothing of it runs."""
    path = tmp_path_factory.mktemp("served") / "central server"
    run_balsam("server", "deploy", "-p", path, "--self-signed", "--port", 0, "--name", "balsam.lab").check()
    yield path
    run_balsam("server", "down", "-p", path)


@pytest.fixture
def deployed(made: Path) -> Iterator[Path]:
    """The same, served."""
    run_balsam("server", "up", "-p", made).check()
    yield made
    run_balsam("server", "down", "-p", made).check()


def address_of(db_path: Path) -> str:
    served = running.status(db_path)
    assert served is not None
    return served.address


def test_a_directory_is_deployed_served_and_ended(made: Path):
    assert not Cluster(made).status().is_running
    assert (made / "server.yml").stat().st_mode & 0o777 == 0o600
    done = run_balsam("server", "up", "-p", made).check()
    assert "BALSAM_CA_FILE" in done.stdout
    assert address_of(made) in run_balsam("server", "status", "-p", made).check().stdout
    assert run_balsam("server", "up", "-p", made).returncode == 7
    down = run_balsam("server", "down", "-p", made).check()
    assert "has stopped, too" in down.stdout and not Cluster(made).status().is_running
    assert run_balsam("server", "status", "-p", made).returncode == 1


def test_a_directory_that_is_there_is_left_alone(tmp_path: Path):
    (tmp_path / "mine").write_text("precious")
    done = run_balsam("server", "deploy", "-p", tmp_path)
    assert done.returncode == 2 and "is there already" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_deployment_that_fails_leaves_nothing(tmp_path: Path):
    fails = tmp_path / "bin"
    fails.mkdir()
    options = ("--host", "0.0.0.0")
    done = run_balsam("server", "deploy", "-p", tmp_path / "db", *options)
    assert done.returncode == 2 and "--insecure" in done.stderr and not (tmp_path / "db").exists()
    done = run_balsam("server", "deploy", "-p", tmp_path / "no" / "such" / "db")
    assert done.returncode != 0 and not (tmp_path / "no").exists()


def test_a_deployment_whose_tables_cannot_be_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from balsam.core import schema
    from balsam.exceptions import DatabaseError
    from balsam.server.deploying import deploy
    from balsam.server.settings import ServerSettings

    def failing(db_path: Path) -> None:
        raise DatabaseError("no tables today")

    monkeypatch.setattr(schema, "migrate", failing)
    with pytest.raises(DatabaseError, match="no tables"):
        deploy(tmp_path / "db", ServerSettings())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "--self-signed"),
        (["--certificate", "/nowhere.pem"], "--key"),
        (["--certificate", "/nowhere.pem", "--key", "/nowhere.key"], "/nowhere.pem"),
        (["--trusted-proxy", "proxy"], "127.0.0.1"),
    ],
)
def test_settings_that_cannot_be_are_refused(made: Path, options: list[str], said: str):
    before = (made / "server.yml").read_text()
    (made / "server.yml").write_text("port: 0\n")
    try:
        done = run_balsam("server", "up", "-p", made, *options)
    finally:
        (made / "server.yml").write_text(before)
    assert done.returncode == 2 and said in done.stderr


def test_clients_trust_the_authority_of_the_server(deployed: Path, tmp_path: Path):
    address, authority = address_of(deployed), deployed / "tls" / "ca.pem"
    assert {path.stat().st_mode & 0o777 for path in (deployed / "tls").iterdir()} == {0o600}
    env = {"BALSAM_CLIENT_PATH": str(tmp_path / "client.yml")}
    answers = f"{address}\nmaria\n{PASSWORD}\n{PASSWORD}\n"
    stranger = run_balsam("register", input=answers, env=env)
    assert stranger.returncode == 6 and "certificate" in stranger.stderr.lower()
    trusting = {**env, "BALSAM_CA_FILE": os.path.relpath(authority)}
    run_balsam("register", input=answers, env=trusting).check()
    run_balsam("login", input=f"{address}\nmaria\n{PASSWORD}\n", env=trusting).check()
    assert "maria" in run_balsam("auth", "status", env=env).check().stdout  # it is remembered
    wrong = run_balsam("auth", "status", env={**env, "BALSAM_CA_FILE": str(tmp_path / "none.pem")})
    assert wrong.returncode == 2 and "none.pem" in wrong.stderr


def test_the_authority_stays_and_certificates_follow_the_names(made: Path):
    from cryptography import x509

    from balsam.server.certificates import ensure_certificate

    first, _ = ensure_certificate(made, ["a.lab", "127.0.0.1"])
    authority, text = (made / "tls" / "ca.pem").read_text(), first.read_text()
    assert ensure_certificate(made, ["127.0.0.1", "a.lab"])[0].read_text() == text
    other = x509.load_pem_x509_certificate(ensure_certificate(made, ["b.lab"])[0].read_bytes())
    names = other.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["b.lab"]
    assert (made / "tls" / "ca.pem").read_text() == authority


def test_requests_for_other_names_are_refused(address: str):
    port = address.rpartition(":")[2]

    def status(host: str) -> int:
        return httpx.get(f"{address}/healthz", headers={"Host": host}).status_code

    for good in (
        "localhost",
        f"LOCALHOST:{port}",
        "127.0.0.1",
        f"[::1]:{port}",
        "10.1.2.3",
        socket.gethostname(),
    ):
        assert status(good) == 200, good
    for bad in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1.evil.example",
        "",
        "localhost.evil",
        "127.0.0.1:x",
    ):
        assert status(bad) in (400, 421), bad


def test_health_needs_no_login_and_tells_of_the_database(address: str, db: Path):
    assert httpx.get(f"{address}/healthz").json()["status"] == "ok"
    env = {"BALSAM_DB_PATH": str(db)}
    run_balsam("server", "--stop", env=env).check()
    try:
        answer = httpx.get(f"{address}/healthz", timeout=60)
        assert answer.status_code == 503 and answer.headers["Retry-After"]
    finally:
        run_balsam("server", "--connect", env=env).check()
    wait_until(lambda: httpx.get(f"{address}/healthz", timeout=60).status_code == 200, 60)


def test_a_database_that_was_killed_is_started_again(address: str, db: Path):
    pid = Cluster(db).status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: httpx.get(f"{address}/healthz", timeout=60).status_code == 200, 60)
    assert Cluster(db).status().pid not in (None, pid)


def test_who_waits_is_let_go_and_requests_under_way_are_finished(address: str, db: Path):
    alice = log_in(address, "alice")
    headers = {"Authorization": f"Bearer {alice.credentials.token()}"}
    last = alice.request("GET", "/notices")["last"]
    lock = psycopg2.connect(**connection_params(db))

    def get(path: str) -> httpx.Response:
        return httpx.get(f"{address}{path}", headers=headers, timeout=120)

    with ThreadPoolExecutor(4) as pool:
        with lock.cursor() as cursor:
            cursor.execute("LOCK TABLE core_site IN ACCESS EXCLUSIVE MODE")
            waits = [pool.submit(get, f"/notices?after={last}&timeout_sec=60"),
                     pool.submit(get, "/events/?wait_sec=60")]  # fmt: skip
            slow = pool.submit(get, "/apps/")
            wait_until(lambda: waiting_for_locks(db) >= 2, 60)  # both have come
            served = running.status(db)
            assert served is not None
            os.kill(served.process.pid, signal.SIGTERM)
            assert waits[0].result(timeout=60).status_code == 200
            assert not slow.done()
            lock.rollback()
        assert slow.result(timeout=60).status_code == 200
        assert waits[1].result(timeout=60).status_code == 200
    wait_until(lambda: not is_alive(served.process), 60)
    lock.close()


def waiting_for_locks(db: Path) -> int:
    other = psycopg2.connect(**connection_params(db))
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            return int(cursor.fetchone()[0])
    finally:
        other.close()


def test_a_log_that_has_grown_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import logging

    from balsam.server import logs

    monkeypatch.setattr(logs, "_LONGEST_BYTES", 500)
    before = logging.getLogger().handlers[:]
    try:
        start_logging(tmp_path / "rest-server.log")
        for number in range(100):
            logging.getLogger("uvicorn.access").info("GET /jobs/ %d", number)
    finally:
        logging.basicConfig(force=True, handlers=before)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["rest-server.log", *(f"rest-server.log.{n}" for n in range(1, 6))]
    assert "99" in (tmp_path / "rest-server.log").read_text()


def test_only_a_trusted_proxy_says_where_a_request_comes_from(db: Path):
    leave(db)
    env = {"BALSAM_DB_PATH": str(db)}

    def codes(*options: str) -> list[int]:
        run_balsam("server", "up", "--port", 0, *options, env=env).check()
        try:
            with httpx.Client(base_url=address_of(db)) as client:
                return [
                    client.post(
                        "/auth/password/login",
                        data={"username": "user", "password": "wrong"},
                        headers={"X-Forwarded-For": f"10.0.0.{n}"},
                    ).status_code
                    for n in range(12)
                ]
        finally:
            run_balsam("server", "down", env=env).check()

    assert 429 in codes()
    assert 429 not in codes("--trusted-proxy", "127.0.0.1")


def undo_last_change(db: Path) -> str:
    """Make the tables those of the version before; return what is missing."""
    from balsam.core import migrations

    names = sorted(path.stem for path in Path(str(migrations.__file__)).parent.glob("0*.py"))
    manage = Path(__file__).parents[3] / "manage.py"
    command = [sys.executable, manage, "migrate", "-v", "0", "core", names[-2]]
    subprocess.run(command, env={**os.environ, "BALSAM_DB_PATH": str(db)}, check=True)
    return names[-1]


@pytest.fixture
def own_database(tmp_path: Path) -> Iterator[Path]:
    """A database that a test may spoil; it runs."""
    run_balsam("init", tmp_path / "db").check()
    run_balsam("server", "--connect", env={"BALSAM_DB_PATH": str(tmp_path / "db")}).check()
    yield tmp_path / "db"
    run_balsam("server", "down", "-p", tmp_path / "db")
    discard_database(tmp_path / "db")


def test_older_tables_are_refused_and_brought_up_to_date(own_database: Path):
    run_balsam("server", "up", "-p", own_database, "--port", 0).check()
    missing = undo_last_change(own_database)
    served = run_balsam("server", "migrate", "-p", own_database)
    assert served.returncode == 7 and "balsam server down" in served.stderr
    assert run_balsam("init", own_database).returncode == 7
    run_balsam("server", "down", "-p", own_database).check()
    refused = run_balsam("server", "up", "-p", own_database, "--port", 0)
    assert refused.returncode == 6 and "balsam server migrate" in refused.stderr
    assert f"Done: {missing}" in run_balsam("server", "migrate", "-p", own_database).check().stdout
    assert "already" in run_balsam("server", "migrate", "-p", own_database).check().stdout
    run_balsam("server", "up", "-p", own_database, "--port", 0).check()


def test_newer_tables_are_refused(own_database: Path):
    owner = psycopg2.connect(**connection_params(own_database))
    with owner, owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('core', '9999_later', now())"
        )
    owner.close()
    for verb in ("up", "migrate"):
        done = run_balsam("server", verb, "-p", own_database)
        assert done.returncode == 6 and "pip install -U" in done.stderr, verb


def test_the_unit_is_one_that_systemd_takes(made: Path, tmp_path: Path):
    text = run_balsam("server", "unit", "-p", made, "--user", "daemon").check().stdout
    assert f'--foreground -p "{made}"' in text and "User=daemon" in text
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    (tmp_path / "balsam.service").write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / "balsam.service"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "balsam.service" not in done.stderr, done.stderr


def test_a_server_in_the_foreground_ends_with_a_signal(made: Path):
    process = subprocess.Popen(
        [script_path("balsam"), "server", "up", "--foreground", "-p", str(made)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        wait_until(lambda: serves(made, process.pid), 60)
        context = ssl.create_default_context(cafile=made / "tls" / "ca.pem")
        assert httpx.get(f"{address_of(made)}/healthz", verify=context).status_code == 200
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "GET /healthz" in output


def serves(db_path: Path, pid: int) -> bool:
    served = running.status(db_path)
    return served is not None and served.process.pid == pid

"""The server behind a real nginx, configured as docs/server.md says."""

import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from django.db import connection

from balsam.server import running
from balsam.server.certificates import ensure_certificate
from tests.commands import run_balsam
from tests.jobs import add_job
from tests.serving import PASSWORD, leave
from tests.waiting import wait_until

NAME = "balsam.lab.org"
_MAIN = """
daemon off;
{user}
pid {here}/nginx.pid;
error_log {here}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
{server}
}}
"""


def documented() -> str:
    """Return the configuration in the document."""
    text = (Path(__file__).parents[3] / "docs" / "server.md").read_text()
    found = re.search(r"```nginx\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def proxy(db: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of nginx, which stands before a server of the database."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    env = {"BALSAM_DB_PATH": str(db)}
    leave(db)
    run_balsam("server", "up", "--port", 0, "--name", NAME, "--trusted-proxy", "127.0.0.1", env=env).check()
    served = running.status(db)
    assert served is not None
    certificate, key = ensure_certificate(tmp_path, [NAME])
    port = free_port()
    server = documented()
    for told, ours in (
        ("443", f"127.0.0.1:{port}"),
        ("http://127.0.0.1:8000", served.address),
        (f"/etc/ssl/{NAME}.pem", str(certificate)),
        (f"/etc/ssl/{NAME}.key", str(key)),
    ):
        assert told in server
        server = server.replace(told, ours)
    config = tmp_path / "nginx.conf"
    user = "user root;" if Path("/proc/self").stat().st_uid == 0 else ""
    config.write_text(_MAIN.format(here=tmp_path, server=server, user=user))
    process = subprocess.Popen([nginx, "-c", str(config), "-p", str(tmp_path)], stderr=subprocess.PIPE)
    try:
        with client_from("127.0.0.1", port, tmp_path) as client:
            wait_until(lambda: answers(client), 30)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=30)
        run_balsam("server", "down", env=env).check()


def client_from(local: str, port: int, directory: Path) -> httpx.Client:
    """Return a client that calls nginx by the documented name, from a local address."""
    context = ssl.create_default_context(cafile=directory / "tls" / "ca.pem")
    transport = httpx.HTTPTransport(verify=context, local_address=local)
    return Named(f"127.0.0.1:{port}", transport)


class Named(httpx.Client):
    """A client that reaches a place under the name of the document."""

    def __init__(self, place: str, transport: httpx.HTTPTransport) -> None:
        super().__init__(base_url=f"https://{place}", transport=transport, timeout=90, headers={"Host": NAME})
        self.place = place

    def request(self, *args: object, **options: object) -> httpx.Response:  # type: ignore[override]
        options["extensions"] = {"sni_hostname": NAME}
        return super().request(*args, **options)  # type: ignore[arg-type]


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_accounts_work_and_long_polls_are_told_through_a_proxy(proxy: httpx.Client):
    account = {"username": "alice", "password": PASSWORD}
    assert proxy.post("/auth/password/register", json=account).status_code == 201
    token = proxy.post("/auth/password/login", data=account).json()["access_token"]
    proxy.headers["Authorization"] = f"Bearer {token}"
    site = proxy.post("/sites/", json={"name": "theta", "path": "/sites/theta"}).json()["id"]
    large = {"site_id": site, "name": "App", "command_template": "true", "source_code": "x" * 3_000_000}
    assert proxy.post("/apps/", json=large).status_code == 201  # more than proxies take by themselves

    def add() -> None:
        try:
            add_job(site_id=site)
        finally:
            connection.close()

    thread = threading.Timer(0.5, add)
    thread.start()
    reply = proxy.get("/events/", params={"after_id": 0, "ordering": "id", "wait_sec": 60})
    thread.join()
    assert reply.status_code == 200 and reply.json()["results"]


def test_each_client_of_a_proxy_has_its_own_tries(proxy: httpx.Client, tmp_path: Path):
    assert isinstance(proxy, Named)
    port = int(proxy.place.rpartition(":")[2])

    def codes(local: str) -> list[int]:
        with client_from(local, port, tmp_path) as client:
            claimed = {"X-Forwarded-For": "10.9.9.9"}  # what a client says itself counts for nothing
            return [
                client.post(
                    "/auth/password/login",
                    data={"username": local, "password": "no"},
                    headers=claimed,
                ).status_code
                for _ in range(12)
            ]

    assert 429 in codes("127.0.0.2")
    assert codes("127.0.0.3")[0] == 401

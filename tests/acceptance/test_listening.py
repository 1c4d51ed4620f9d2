"""What a database and its launcher listen on: this host alone, for those who know the password or secret."""

import socket
from pathlib import Path

import psutil

from balsam.core.models import BalsamJob
from balsam.postgres import Cluster
from tests.jobs import add_app, add_job
from tests.launching import launcher
from tests.waiting import wait_until

Address = tuple[str, int]


def listening(pid: int) -> set[Address]:
    """Return the TCP addresses that a process and its descendants listen on."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    connections = [connection for member in family for connection in member.net_connections("tcp")]
    return {(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN}


def answer_to_a_browser(address: Address) -> bytes:
    """Ask as a web browser does; b"" when the other end hangs up or has nothing to say."""
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"\0" * 4096)
        connection.shutdown(socket.SHUT_WR)
        try:
            return b"".join(iter(lambda: connection.recv(4096), b""))
        except ConnectionResetError:
            return b""


def test_database_and_launcher_listen_on_loopback_and_serve_no_web_page(db: Path) -> None:
    add_app("sleep", "/bin/sleep 600")
    add_job(application="sleep", name="sleep")
    server = Cluster(db).status().pid
    with launcher("--persistent") as first, launcher("--persistent") as second:
        wait_until(lambda: BalsamJob.objects.filter(state="RUNNING").exists())
        heads = [wait_until(lambda process=process: listening(process.pid)) for process in (first, second)]
        assert server and len(listening(server)) == 1
        addresses = set.union(listening(server), *heads)
        assert len(addresses) == 3, "each has a port of its own"
        for address in addresses:
            assert address[0] == "127.0.0.1"
            assert b"HTTP" not in answer_to_a_browser(address)

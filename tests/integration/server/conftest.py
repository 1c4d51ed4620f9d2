"""A real server process over a real database."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from balsam.api.connection import use_client
from balsam.client import Client
from balsam.client.http import Http
from tests.commands import run_balsam

PASSWORD = "correct horse battery"


@pytest.fixture
def address(db: Path) -> Iterator[str]:
    """Address of a server of the database, whose tables are empty."""
    from balsam.server import running

    env = {"BALSAM_DB_PATH": str(db)}
    run_balsam("server", "up", "--port", 0, env=env).check()
    served = running.status(db)
    assert served is not None
    yield served.address
    run_balsam("server", "down", env=env).check()


def log_in(address: str, username: str) -> Http:
    """Register and log in; return the transport."""
    server = Http(address)
    server.request("POST", "/auth/password/register", json={"username": username, "password": PASSWORD})
    reply = server.request("POST", "/auth/password/login", data={"username": username, "password": PASSWORD})
    return Http(address, reply["access_token"])


@pytest.fixture
def alice(address: str) -> Iterator[Http]:
    """Logged in, and the one whose client `balsam.api` uses."""
    server = log_in(address, "alice")
    use_client(Client(server))
    yield server
    from balsam.api import connection

    connection._clients.pop(os.getpid(), None)

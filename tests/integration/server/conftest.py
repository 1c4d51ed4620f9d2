"""A real server process over a real database."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from balsam.api import connection
from balsam.api.connection import use_client
from balsam.client import Client
from balsam.client.http import Http
from tests.serving import log_in, served, shared


@pytest.fixture
def address(db: Path) -> str:
    """Address of a server of the database, whose tables are empty."""
    return shared(db)


@pytest.fixture
def fresh_address(db: Path) -> Iterator[str]:
    """Address of a server that has counted no tries of anybody yet."""
    with served(db) as found:
        yield found


@pytest.fixture
def alice(address: str) -> Iterator[Http]:
    """Logged in, and the one whose client `balsam.api` uses."""
    server = log_in(address, "alice")
    use_client(Client(server))
    yield server
    connection._clients.pop(os.getpid(), None)

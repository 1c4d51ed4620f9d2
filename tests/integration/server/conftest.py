"""A real server process over a real database."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from balsam.api import connection
from balsam.api.connection import use_client
from balsam.client import Client
from balsam.client.http import Http
from tests.serving import log_in, served


@pytest.fixture
def address(db: Path) -> Iterator[str]:
    """Address of a server of the database, whose tables are empty."""
    with served(db) as found:
        yield found


@pytest.fixture
def alice(address: str) -> Iterator[Http]:
    """Logged in, and the one whose client `balsam.api` uses."""
    server = log_in(address, "alice")
    use_client(Client(server))
    yield server
    connection._clients.pop(os.getpid(), None)

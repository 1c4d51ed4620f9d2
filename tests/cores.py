"""Where jobs are: a database of one's own, or a server one is logged in to. Tests of sites run on both."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from balsam.api import App, BatchJob, EventLog, Job, Site, connection
from balsam.api.connection import use_client
from balsam.client import Client
from tests.serving import client_file, log_in, shared

__all__ = ["CORES", "reached"]

OWN, SERVER = CORES = ("own database", "server")


@contextmanager
def reached(kind: str, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have this process, and the commands it starts, reach the database in one of two ways.

    Through the server there is a second account, which at the end has seen nothing of the first.
    """
    if kind == OWN:
        yield
        return
    address = shared(db)
    alice, bob = log_in(address, "alice"), log_in(address, "bob")
    monkeypatch.setenv("BALSAM_CLIENT_PATH", str(client_file(tmp_path, alice)))
    monkeypatch.delenv("BALSAM_DB_PATH")
    use_client(Client(alice))
    try:
        yield
        seen = _seen()
        use_client(Client(bob))
        assert any(seen) and not any(_seen()), seen
    finally:
        connection._clients.pop(os.getpid(), None)


def _seen() -> list[int]:
    return [kind.objects.count() for kind in (Site, App, Job, BatchJob, EventLog)]

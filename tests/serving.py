"""A real server process over a database, and accounts that are logged in there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from balsam.client.http import Http
from tests.commands import run_balsam

PASSWORD = "correct horse battery"


@contextmanager
def served(db: Path, settings: Mapping[str, Any] | None = None, **variables: str) -> Iterator[str]:
    """Serve a database, with settings of logins; gives the address."""
    from balsam.server import running

    env = {"BALSAM_DB_PATH": str(db), **variables}
    file = db / "logins.yml"
    if settings is not None:
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(dict(settings)))
    run_balsam("server", "up", "--port", 0, env=env).check()
    found = running.status(db)
    assert found is not None
    try:
        yield found.address
    finally:
        run_balsam("server", "down", env=env).check()
        file.unlink(missing_ok=True)


def log_in(address: str, username: str) -> Http:
    """Register and log in; return the transport."""
    server = Http(address)
    server.request("POST", "/auth/password/register", json={"username": username, "password": PASSWORD})
    reply = server.request("POST", "/auth/password/login", data={"username": username, "password": PASSWORD})
    return Http(address, reply["access_token"])


def client_file(directory: Path, server: Http) -> Path:
    """Write a client.yml with a login, for commands; return where."""
    token = server.credentials.token()
    path = directory / f"client-{token[-6:]}.yml"
    path.write_text(f"api_root: {server.address}\ntoken: {token}\n")
    path.chmod(0o600)
    return path

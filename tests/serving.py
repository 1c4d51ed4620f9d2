"""A real server process over a database, and accounts that are logged in there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from balsam.client.http import Http
from balsam.schemas.accounts import SCOPES
from tests.commands import run_balsam

PASSWORD = "correct horse battery"


def shared(db: Path) -> str:
    """Return the address of a server of a database; it stays, with its default settings, for later tests."""
    from balsam.server import running

    found = running.status(db)
    if found is None or not found.is_running:
        from balsam.server.settings import ServerSettings

        found = running.start(db, ServerSettings(port=0))
    return found.address


def leave(db: Path) -> None:
    """Stop the server that stays, for a test that starts its own."""
    from balsam.server import running

    running.stop(db)


@contextmanager
def served(db: Path, settings: Mapping[str, Any] | None = None, **variables: str) -> Iterator[str]:
    """Serve a database by a server of the test's own, with settings of logins; gives the address."""
    leave(db)
    env = {"BALSAM_DB_PATH": str(db), **variables}
    file = db / "logins.yml"
    if settings is not None:
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(dict(settings)))
    run_balsam("server", "up", "--port", 0, env=env).check()
    try:
        yield shared(db)
    finally:
        leave(db)
        file.unlink(missing_ok=True)


def log_in(address: str, username: str) -> Http:
    """Make an account in the active database, and log in without a password: to hash one takes long."""
    from balsam.core.accounts import account_of_identity
    from balsam.core.logins import new_login

    account = account_of_identity("tests", username, username)
    return Http(address, new_login(account.id, "tests", SCOPES).access)


def client_file(directory: Path, server: Http) -> Path:
    """Write a client.yml with a login, for commands; return where."""
    token = server.credentials.token()
    path = directory / f"client-{token[-6:]}.yml"
    path.write_text(f"api_root: {server.address}\ntoken: {token}\n")
    path.chmod(0o600)
    return path

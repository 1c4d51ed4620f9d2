"""Which database a command about the server is for, and whether there is a server to run."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import click

from balsam.exceptions import NoDatabaseError, UsageError

__all__ = ["needs_server_extra", "place", "place_option"]

F = TypeVar("F", bound=Callable[..., Any])
_NEEDED = ("fastapi", "uvicorn", "fastapi_offline", "cryptography")


def place_option(function: F) -> F:
    """Add ``-p``."""
    return click.option(
        "-p",
        "--path",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Database directory; default: the active one.",
    )(function)


def place(path: Path | None) -> Path:
    """Return the directory given, or that of the active database; raises NoDatabaseError, UsageError."""
    from balsam.postgres.active import active_db_path
    from balsam.postgres.layout import Layout

    if path is None:
        return active_db_path()
    found = path.expanduser().resolve()
    if not Layout(found).has_cluster:
        raise NoDatabaseError(f"{found} is no database directory. `balsam server deploy -p DIR` makes one.")
    return found


def needs_server_extra() -> None:
    """Raise UsageError where the server is not installed."""
    if not all(map(find_spec, _NEEDED)):
        raise UsageError("The server is not installed. Type: pip install 'balsam[server]'")

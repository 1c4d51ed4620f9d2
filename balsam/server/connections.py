"""Calls of the core from a thread of the server: each leaves its connection ready for the next."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from balsam.core import operations
from balsam.core.retrying import is_broken_connection
from balsam.exceptions import DatabaseUnreachable

__all__ = ["call", "in_core"]

T = TypeVar("T")


def call(name: str, *args: Any, **kwargs: Any) -> Any:
    """Run an operation of the core."""
    return in_core(lambda: operations.call(name, *args, **kwargs))


def in_core(work: Callable[[], T]) -> T:
    """Run something in the core; raises DatabaseUnreachable when the connection breaks."""
    close_old_connections()
    try:
        return work()
    except (OperationalError, InterfaceError) as error:
        if not is_broken_connection(error):
            raise
        connection.close()
        raise DatabaseUnreachable("The database does not answer; try again.") from error

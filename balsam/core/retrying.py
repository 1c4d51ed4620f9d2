"""Repeat a database operation that failed through no fault of its own: deadlock, or a connection that broke.

After a broken connection only what may be repeated after a commit whose reply was lost; each operation says
by its decorator which it is.
"""

import functools
import random
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection

P = ParamSpec("P")
R = TypeVar("R")

_DEADLOCK, _SERIALIZATION = "40P01", "40001"
_ATTEMPTS = 8


def retrying(operation: Callable[P, R]) -> Callable[P, R]:
    """Decorate an operation to be repeated with a growing pause; inside a transaction it is not."""
    return _repeated(operation, lambda error: is_conflict(error) or is_broken_connection(error))


def retrying_conflicts(operation: Callable[P, R]) -> Callable[P, R]:
    """Decorate an operation to be repeated after a deadlock only, since it must not be done twice."""
    return _repeated(operation, is_conflict)


def _repeated(operation: Callable[P, R], may_pass: Callable[[Exception], bool]) -> Callable[P, R]:
    @functools.wraps(operation)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return operation(*args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                if attempt == _ATTEMPTS or connection.in_atomic_block or not may_pass(error):
                    raise
                time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise AssertionError("unreachable")

    return wrapper


def is_conflict(error: Exception) -> bool:
    """Say whether an error means that another transaction was in the way."""
    return _sqlstate(error) in (_DEADLOCK, _SERIALIZATION)


def is_broken_connection(error: Exception) -> bool:
    """Say whether an error means that the connection is gone: the next query connects anew.

    Told by the error alone: when a transaction has been left, the connection may be a new one already.
    """
    state = _sqlstate(error)
    return state is None or state.startswith(("08", "57P", "25P03"))


def _sqlstate(error: Exception) -> str | None:
    """The server's code for an error; None for one of the client library, which lost the server."""
    return getattr(error.__cause__, "pgcode", None)

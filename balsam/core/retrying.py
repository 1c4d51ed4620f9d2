"""Repeat a database operation that failed through no fault of its own: deadlock, or a connection that broke.

Only for operations that may be repeated after a commit whose reply was lost: each says so by being decorated.
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

    @functools.wraps(operation)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return operation(*args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                if attempt == _ATTEMPTS or connection.in_atomic_block or not _may_pass(error):
                    raise
                time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise AssertionError("unreachable")

    return wrapper


def _may_pass(error: Exception) -> bool:
    code = getattr(error.__cause__, "pgcode", None)
    if code in (_DEADLOCK, _SERIALIZATION):
        return True
    if connection.connection is not None and (connection.connection.closed or not connection.is_usable()):
        connection.close()  # the next query connects anew, as the connect policy says
        return True
    return connection.connection is None

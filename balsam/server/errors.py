"""Errors as HTTP tells them: one table, most specific first; the text is what a command line would show."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from balsam.exceptions import (
    AmbiguousError,
    BalsamError,
    ConflictError,
    DatabaseError,
    LeaseLostError,
    LoginNeededError,
    LoginRefusedError,
    NotAllowedError,
    NotFoundError,
    RefusedError,
    ServerError,
    TooManyTriesError,
    UsageError,
)

__all__ = ["ERRORS", "headers_of", "install_handlers", "status_of"]


#: Class -> status. Clients turn a status, with the name of the class, into the same error again.
ERRORS: tuple[tuple[type[BalsamError], int], ...] = (
    (TooManyTriesError, 429),
    (LoginNeededError, 401),
    (NotAllowedError, 403),
    (LoginRefusedError, 403),
    (NotFoundError, 404),
    (AmbiguousError, 409),
    (LeaseLostError, 410),
    (ConflictError, 409),
    (RefusedError, 409),
    (UsageError, 400),
    (DatabaseError, 503),
    (ServerError, 502),
    (BalsamError, 500),
)


def install_handlers(app: FastAPI) -> None:
    """Have Balsam's errors told as JSON: ``detail`` is the text, ``error`` the class."""
    app.add_exception_handler(BalsamError, _told)


def status_of(error: BalsamError) -> int:
    """Return the status that tells of an error."""
    return next(status for kind, status in ERRORS if isinstance(error, kind))


def headers_of(error: BalsamError) -> dict[str, str]:
    """Return the headers that go with it: how to log in, and when to try again."""
    if isinstance(error, TooManyTriesError):
        return {"Retry-After": str(error.retry_after_sec)}
    return {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}.get(status_of(error), {})


async def _told(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, BalsamError)
    body = {"detail": str(error), "error": type(error).__name__}
    return JSONResponse(body, status_of(error), headers_of(error))

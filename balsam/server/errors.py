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
    NotFoundError,
    RefusedError,
    UsageError,
)

__all__ = ["ERRORS", "TooManyTriesError", "install_handlers"]


class TooManyTriesError(BalsamError):
    """Too many failed logins. Wait a minute, then try again."""


#: Class -> status. Clients turn a status, with the name of the class, into the same error again.
ERRORS: tuple[tuple[type[BalsamError], int], ...] = (
    (TooManyTriesError, 429),
    (LoginNeededError, 401),
    (NotFoundError, 404),
    (AmbiguousError, 409),
    (LeaseLostError, 410),
    (ConflictError, 409),
    (RefusedError, 409),
    (UsageError, 400),
    (DatabaseError, 503),
    (BalsamError, 500),
)


def install_handlers(app: FastAPI) -> None:
    """Have Balsam's errors told as JSON: ``detail`` is the text, ``error`` the class."""
    app.add_exception_handler(BalsamError, _told)


async def _told(request: Request, error: Exception) -> JSONResponse:
    status = next(status for kind, status in ERRORS if isinstance(error, kind))
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if status in (429, 503):
        headers["Retry-After"] = "5"
    return JSONResponse({"detail": str(error), "error": type(error).__name__}, status, headers)

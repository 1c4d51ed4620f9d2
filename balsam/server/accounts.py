"""Who sends a request, and whether their login is for it: every route depends on one of these.

`Caller` is for resources: reading them needs the scope ``read``, all else ``submit``. `AgentCaller` is for
what launchers and agents do, `AdminCaller` for logins of the account, `AnyCaller` for what all may ask.
A login that is limited to a site has a ``site_id``; the core finds no other site for its ``id``.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Header, Request

from balsam.core import logins
from balsam.exceptions import LoginNeededError, NotAllowedError
from balsam.schemas.accounts import CallerInfo
from balsam.server.connections import in_core

__all__ = ["AdminCaller", "AgentCaller", "AnyCaller", "Caller", "caller", "needing"]


def bearer(authorization: Annotated[str, Header()] = "") -> str:
    """Return the token of a request; raises LoginNeededError when it has none."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise LoginNeededError("This needs a login: type `balsam login`.")
    return token.strip()


def anybody(token: Annotated[str, Depends(bearer)]) -> CallerInfo:
    """Return who sends a request; raises LoginNeededError."""
    return in_core(lambda: logins.caller_of(token))


AnyCaller = Annotated[CallerInfo, Depends(anybody)]


def caller(request: Request, found: AnyCaller) -> CallerInfo:
    """Return who sends a request for resources; raises LoginNeededError, NotAllowedError."""
    return _with_scope(found, "read" if request.method in ("GET", "HEAD") else "submit")


def needing(scope: str) -> Callable[[CallerInfo], CallerInfo]:
    """Return a dependency that lets in logins with a scope; it raises LoginNeededError, NotAllowedError."""

    def dependency(found: AnyCaller) -> CallerInfo:
        return _with_scope(found, scope)

    return dependency


Caller = Annotated[CallerInfo, Depends(caller)]
AgentCaller = Annotated[CallerInfo, Depends(needing("agent"))]
AdminCaller = Annotated[CallerInfo, Depends(needing("admin"))]


def _with_scope(found: CallerInfo, scope: str) -> CallerInfo:
    if scope not in found.scopes:
        raise NotAllowedError(
            f"This needs a login with the scope {scope}; yours is for {', '.join(found.scopes)}. "
            "`balsam login` gives all, `balsam auth token --scope` some."
        )
    return found

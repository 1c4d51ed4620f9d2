"""Accounts and logins: ``/auth/…``. Everything else asks `caller` who sends a request."""

from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Body, Depends, Header, Request

from balsam.core import accounts
from balsam.exceptions import LoginNeededError, UsageError
from balsam.schemas.accounts import AccountInfo
from balsam.server.connections import in_core
from balsam.server.throttle import Throttle

__all__ = ["Caller", "caller", "router"]

router = APIRouter(prefix="/auth", tags=["auth"])
_throttle = Throttle()


def bearer(authorization: Annotated[str, Header()] = "") -> str:
    """Return the token of a request; raises LoginNeededError when it has none."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise LoginNeededError("This needs a login: type `balsam login`.")
    return token.strip()


def caller(token: Annotated[str, Depends(bearer)]) -> AccountInfo:
    """Return who sends a request; raises LoginNeededError."""
    return in_core(lambda: accounts.account_of(token))


Caller = Annotated[AccountInfo, Depends(caller)]


@router.get("/how")
def how() -> list[str]:
    """Say how one logs in."""
    return ["password"]


@router.post("/password/register", status_code=201)
def register(request: Request, body: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
    """Make an account: ``{"username": …, "password": …}``."""
    username, password = _credentials(body)
    _throttle.check(f"new {_address(request)}")
    _throttle.note_failure(f"new {_address(request)}")
    made = in_core(lambda: accounts.register(username, password))
    return {"id": made.id, "username": made.username}


@router.post("/password/login")
async def login(request: Request) -> dict[str, Any]:
    """Log in with a form of username and password; the token is shown this once."""
    from starlette.concurrency import run_in_threadpool

    form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
    username, password = _credentials(form)
    keys = (f"name {username}", f"address {_address(request)}")
    _throttle.check(*keys)
    label = request.headers.get("user-agent", "")
    try:
        token = await run_in_threadpool(in_core, lambda: accounts.sign_in(username, password, label))
    except LoginNeededError:
        _throttle.note_failure(*keys)
        raise
    return {"access_token": token.text, "token_type": "bearer", "expiration": token.expires.isoformat()}


@router.get("/password/me")
def me(caller: Caller) -> dict[str, Any]:
    """Say who one is."""
    return {"id": caller.id, "username": caller.username}


@router.get("/tokens")
def tokens(caller: Caller) -> list[dict[str, Any]]:
    """List the live logins of the caller."""
    return [
        {
            "id": token.id,
            "label": token.label,
            "created": token.created.isoformat(),
            "expires": token.expires.isoformat(),
            "last_used": token.last_used.isoformat() if token.last_used else None,
        }
        for token in in_core(lambda: accounts.tokens_of(caller.id))
    ]


@router.delete("/tokens/{token_id}", status_code=204)
def revoke(token_id: int, caller: Caller) -> None:
    """End a login by its number."""
    in_core(lambda: accounts.revoke(caller.id, token_id=token_id))


@router.post("/logout", status_code=204)
def logout(caller: Caller, token: Annotated[str, Depends(bearer)]) -> None:
    """End the login that this request is sent with."""
    in_core(lambda: accounts.revoke(caller.id, token=token))


def _credentials(given: dict[str, Any]) -> tuple[str, str]:
    username, password = given.get("username"), given.get("password")
    if not isinstance(username, str) or not isinstance(password, str):
        raise UsageError("Send a username and a password, both as texts.")
    return username, password


def _address(request: Request) -> str:
    return request.client.host if request.client else ""

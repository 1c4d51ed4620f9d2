"""Accounts with passwords: ``/auth/password/…``."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request

from balsam.core import accounts, logins
from balsam.exceptions import RefusedError, UsageError
from balsam.schemas.accounts import SCOPES, AccountInfo
from balsam.server.accounts import AnyCaller
from balsam.server.connections import in_core
from balsam.server.logins.requests import (
    ASKING,
    GUESSES,
    GUESSES_OF_ALL,
    Form,
    Settings,
    address_of,
    tokens_reply,
)

__all__ = ["check_guess", "router"]

router = APIRouter(prefix="/auth/password", tags=["auth"])


@router.post("/register", status_code=201)
def register(request: Request, body: Annotated[dict[str, Any], Body()], settings: Settings) -> dict[str, Any]:
    """Make an account: ``{"username": …, "password": …}``."""
    if not settings.registration:
        raise RefusedError("This server makes no accounts by itself: ask whoever runs it.")
    username, password = _credentials(body)
    ASKING.admit(f"register {address_of(request)}")
    made = in_core(lambda: accounts.register(username, password))
    return {"id": made.id, "username": made.username}


@router.post("/login")
def login(request: Request, form: Form, settings: Settings) -> dict[str, Any]:
    """Log in with a form of username and password; the tokens are shown this once."""
    if "password" not in settings.methods:
        raise RefusedError("This server takes no passwords here: type `balsam login --device`.")
    who = check_guess(request, *_credentials(form))
    label = request.headers.get("user-agent", "")
    made = in_core(lambda: logins.new_login(who.id, label, tuple(SCOPES), settings.token_lifetime))
    return tokens_reply(made)


@router.get("/me")
def me(caller: AnyCaller) -> dict[str, Any]:
    """Say who one is."""
    return {"id": int(caller.id), "username": caller.username}


def check_guess(request: Request, username: str, password: str) -> AccountInfo:
    """Return whose password it is; raises LoginNeededError, and TooManyTriesError after some of those."""
    address = address_of(request)
    pair, alone = f"{username} {address}", (f"name {username}", f"address {address}")
    with GUESSES.guess(pair), GUESSES_OF_ALL.guess(*alone):
        return in_core(lambda: accounts.check_login(username, password))


def _credentials(given: Mapping[str, Any]) -> tuple[str, str]:
    username, password = given.get("username"), given.get("password")
    if not isinstance(username, str) or not isinstance(password, str):
        raise UsageError("Send a username and a password, both as texts.")
    return username, password

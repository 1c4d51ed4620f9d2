"""Logins of the caller: how to get one, renew it, list, make and end them; ``/auth/…``."""

import re
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from fastapi.responses import JSONResponse

from balsam.core import logins
from balsam.exceptions import LoginNeededError, NotAllowedError, UsageError
from balsam.schemas.accounts import check_scopes
from balsam.server.accounts import AdminCaller, AnyCaller
from balsam.server.connections import in_core
from balsam.server.logins.requests import ASKING, GUESSES_OF_ALL, Form, Settings, address_of, tokens_reply

__all__ = ["oauth_error", "router"]

router = APIRouter(prefix="/auth", tags=["auth"])
_MAX_DAYS = 3650


@router.get("/how")
def how(settings: Settings) -> list[str]:
    """Say how one logs in, the way to try first before others."""
    return list(settings.methods)


@router.post("/token", response_model=None)
def renew(request: Request, form: Form, settings: Settings) -> dict[str, Any] | JSONResponse:
    """Exchange a refresh token: ``grant_type=refresh_token&refresh_token=…``."""
    if form.get("grant_type") != "refresh_token":
        return oauth_error("unsupported_grant_type", "The grant_type is refresh_token here.")
    text, address = form.get("refresh_token", ""), f"renew {address_of(request)}"
    ASKING.admit(f"renew {logins.digest(text)}")
    try:
        with GUESSES_OF_ALL.guess(address):
            made = in_core(lambda: logins.renew(text, settings.token_lifetime))
    except LoginNeededError as error:
        return oauth_error("invalid_grant", str(error))
    return tokens_reply(made)


@router.get("/status")
def status(caller: AnyCaller) -> dict[str, Any]:
    """Say what the login is that this request is sent with."""
    return {
        "id": int(caller.id),
        "username": caller.username,
        "login_id": caller.login_id,
        "scopes": list(caller.scopes),
        "site_id": caller.site_id,
        "expires": caller.expires.isoformat(),
    }


@router.get("/tokens")
def tokens(caller: AdminCaller) -> list[dict[str, Any]]:
    """List the live logins of the caller."""
    return [
        {
            "id": found.id,
            "label": found.label,
            "scopes": list(found.scopes),
            "site_id": found.site_id,
            "created": found.created.isoformat(),
            "expires": found.expires.isoformat(),
            "last_used": found.last_used.isoformat() if found.last_used else None,
        }
        for found in in_core(lambda: logins.logins_of(caller.id))
    ]


@router.post("/tokens", status_code=201)
def mint(caller: AdminCaller, body: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
    """Make a token: ``{"scopes": […], "site_id": …, "days": …, "label": …}``; it is shown this once."""
    scopes = body.get("scopes")
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise UsageError("Send scopes, as a list of texts.")
    site_id, days, label = body.get("site_id"), body.get("days", 90), body.get("label", "")
    if not isinstance(days, int | float) or not 0 < days <= _MAX_DAYS:
        raise UsageError(f"A token lasts more than 0 and at most {_MAX_DAYS} days, not {days!r}.")
    if not (site_id is None or isinstance(site_id, int)) or not isinstance(label, str):
        raise UsageError("Send the site_id as a number, and the label as a text.")
    chosen = check_scopes(scopes)
    if set(chosen) - set(caller.scopes) or caller.site_id not in (None, site_id):
        raise NotAllowedError("A login makes none that may do more than itself.")
    made = in_core(lambda: logins.mint(caller.id, label, chosen, timedelta(days=days), site_id))
    return tokens_reply(made)


@router.delete("/tokens/{login_id}", status_code=204)
def revoke(login_id: int, caller: AdminCaller) -> None:
    """End a login by its number."""
    in_core(lambda: logins.revoke(caller.id, login_id))


@router.post("/logout", status_code=204)
def logout(caller: AnyCaller) -> None:
    """End the login that this request is sent with."""
    in_core(lambda: logins.revoke(caller.id, caller.login_id))


def oauth_error(code: str, text: str, status: int = 400) -> JSONResponse:
    """Tell of an error as RFC 6749 and 8628 do, with the text where other errors have it."""
    assert re.fullmatch(r"[a-z_]+", code)
    body = {"error": code, "error_description": text, "detail": text}
    return JSONResponse(body, status, {"Cache-Control": "no-store"})

"""Signing in with a provider, on the page: ``/auth/oauth/login`` and ``/auth/oauth/callback``."""

import base64
import binascii
import hmac
import json
import secrets
import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from balsam.core import accounts
from balsam.exceptions import LoginRefusedError, NotAllowedError, NotFoundError
from balsam.server.connections import in_core
from balsam.server.logins.approval import page_for
from balsam.server.logins.browser import Browser, PageRoute, redirect
from balsam.server.logins.device import PAGE
from balsam.server.logins.provider import OpenIdProvider
from balsam.server.logins.requests import ASKING, Settings, address_of, base_url

__all__ = ["router"]

_BACK = "/auth/oauth/callback"
_STATE_SEC = 600
router = APIRouter(prefix="/auth/oauth", tags=["pages"], route_class=PageRoute, include_in_schema=False)


@router.get("/login")
def login(request: Request, settings: Settings, user_code: str = "") -> Response:
    """Send the browser to the provider."""
    provider, browser = _provider(request), Browser(request)
    ASKING.admit(f"oauth {address_of(request)}")
    state = _new_state(browser, user_code[:20])
    back = base_url(request, settings) + _BACK
    address = provider.login_address(back, state, browser.derive(f"nonce {state}"), _verifier(browser, state))
    return redirect(browser, address)


@router.get("/callback")
def callback(
    request: Request, settings: Settings, state: str = "", code: str = "", error: str = ""
) -> Response:
    """Log in who comes back from the provider; an account is made at the first time."""
    provider, browser = _provider(request), Browser(request)
    user_code = _read_state(browser, state)
    if error or not code:
        raise LoginRefusedError(f"The provider did not log you in: {error[:60] or 'it gave no code'}.")
    ASKING.admit(f"callback {address_of(request)}")
    back = base_url(request, settings) + _BACK
    found = provider.identity(code, back, browser.derive(f"nonce {state}"), _verifier(browser, state))
    account = in_core(lambda: accounts.account_of_identity(found.issuer, found.subject, found.name))
    browser.log_in(account.id)
    return redirect(browser, page_for(PAGE, user_code))


def _provider(request: Request) -> OpenIdProvider:
    found: OpenIdProvider | None = request.app.state.openid_provider
    if found is None:
        raise NotFoundError("This server has no provider of logins.")
    return found


def _verifier(browser: Browser, state: str) -> str:
    return browser.derive(f"verifier {state}")


def _new_state(browser: Browser, user_code: str) -> str:
    """Return a text that only this browser can come back with, for ten minutes."""
    told = {"code": user_code, "time": int(time.time()), "once": secrets.token_urlsafe(9)}
    body = base64.urlsafe_b64encode(json.dumps(told).encode()).decode()
    return f"{body}.{browser.derive(f'state {body}')}"


def _read_state(browser: Browser, state: str) -> str:
    """Return the user code in a state of this browser; raises NotAllowedError for another."""
    body, _, seal = state.partition(".")
    if hmac.compare_digest(seal.encode(), browser.derive(f"state {body}").encode()):
        told: dict[str, Any] = _decoded(body)
        if time.time() - told.get("time", 0) < _STATE_SEC:
            return str(told.get("code", ""))
    raise NotAllowedError("This login was not begun in this browser, or too long ago. Begin it anew.")


def _decoded(body: str) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body))
    except (binascii.Error, ValueError):
        return {}
    return told

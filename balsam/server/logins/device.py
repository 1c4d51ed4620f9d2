"""Logins by a code that is approved in a browser: ``/auth/device/login`` and ``/token`` (RFC 8628)."""

import uuid
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from balsam.core import device_logins, logins
from balsam.exceptions import RefusedError
from balsam.schemas.accounts import SCOPES, check_scopes
from balsam.server.connections import in_core
from balsam.server.logins.requests import ASKING, Form, Settings, address_of, base_url, tokens_reply
from balsam.server.logins.tokens import oauth_error

__all__ = ["PAGE", "router"]

router = APIRouter(prefix="/auth/device", tags=["auth"])
#: Where a person types the code.
PAGE = "/auth/device"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_ERRORS = {
    "authorization_pending": "Nobody has answered yet. Ask again.",
    "slow_down": "Nobody has answered yet. Ask again, 5 seconds later than before.",
    "expired_token": "The code has expired. Type `balsam login` again.",
    "access_denied": "The login was denied in the browser.",
    "invalid_client": "The code was given to another client.",
    "invalid_grant": "There is no such code, or it has been used. Type `balsam login` again.",
}


@router.post("/login", response_model=None)
def begin(request: Request, form: Form, settings: Settings) -> dict[str, Any] | JSONResponse:
    """Ask for a login: ``client_id=UUID[&scope=…]``; a person approves it by the ``user_code``."""
    if "device" not in settings.methods:
        raise RefusedError("This server takes passwords only: type `balsam login --password`.")
    client_id = form.get("client_id", "")
    if not _is_uuid(client_id):
        return oauth_error("invalid_client", "The client_id is no UUID.")
    scopes = check_scopes(form.get("scope", " ".join(SCOPES)).split())
    address, label = address_of(request), request.headers.get("user-agent", "")
    ASKING.admit(f"device {address}")
    made = in_core(lambda: device_logins.begin(client_id, scopes, label, address))
    page = base_url(request, settings) + PAGE
    return {
        "device_code": made.device_code,
        "user_code": made.user_code,
        "verification_uri": page,
        "verification_uri_complete": f"{page}?{urlencode({'user_code': made.user_code})}",
        "expires_in": made.expires_in,
        "interval": made.interval,
    }


@router.post("/token", response_model=None)
def fetch(request: Request, form: Form, settings: Settings) -> dict[str, Any] | JSONResponse:
    """Fetch the login once it is approved: ``grant_type=…&device_code=…&client_id=UUID``."""
    if form.get("grant_type") != GRANT:
        return oauth_error("unsupported_grant_type", f"The grant_type is {GRANT} here.")
    code, client_id = form.get("device_code", ""), form.get("client_id", "")
    ASKING.admit(f"fetch {logins.digest(code)}")
    made = in_core(lambda: device_logins.fetch(code, client_id, settings.token_lifetime))
    if not isinstance(made, str):
        return tokens_reply(made)
    return oauth_error(made, _ERRORS[made], 403 if made == "access_denied" else 400)


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True

"""What the routes of logins need of requests: forms, where they come from, and the limits on them."""

from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import Depends, Request

from balsam.exceptions import UsageError
from balsam.schemas.accounts import NewLogin
from balsam.server.logins.settings import LoginSettings
from balsam.server.throttle import Throttle

__all__ = [
    "ASKING",
    "GUESSES",
    "GUESSES_OF_ALL",
    "Form",
    "Settings",
    "address_of",
    "base_url",
    "tokens_reply",
]

_MAX_FORM_BYTES = 16 * 1024
#: Wrong passwords and codes: of one address for one name, and of each alone, since many share a login node.
GUESSES = Throttle(tries=10)
GUESSES_OF_ALL = Throttle(tries=40)
#: Requests that make something for whoever sends them.
ASKING = Throttle(tries=30)


async def read_form(request: Request) -> dict[str, str]:
    """Read a form; of values with the same name the first counts. Raises UsageError for one too long."""
    body = await request.body()
    if len(body) > _MAX_FORM_BYTES:
        raise UsageError(f"The form is too long: at most {_MAX_FORM_BYTES} bytes fit.")
    try:
        found = parse_qs(body.decode(), max_num_fields=50)
    except ValueError:
        raise UsageError("Send a form: application/x-www-form-urlencoded.") from None
    return {name: values[0] for name, values in found.items()}


Form = Annotated[dict[str, str], Depends(read_form)]


def settings_of(request: Request) -> LoginSettings:
    """Return how people log in here."""
    found: LoginSettings = request.app.state.login_settings
    return found


Settings = Annotated[LoginSettings, Depends(settings_of)]


def address_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client else ""


def base_url(request: Request, settings: LoginSettings) -> str:
    """Return the address at which browsers reach this server."""
    return settings.public_url or str(request.base_url).rstrip("/")


def tokens_reply(made: NewLogin) -> dict[str, Any]:
    """Tell of a new login, as RFC 6749 does; ``expiration`` is for older clients."""
    reply: dict[str, Any] = {
        "access_token": made.access,
        "token_type": "bearer",
        "expires_in": made.expires_in,
        "expiration": made.expires.isoformat(),
        "scope": " ".join(made.scopes),
    }
    return {**reply, "refresh_token": made.refresh} if made.refresh else reply

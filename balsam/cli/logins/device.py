"""Log in with a code that is approved in a browser: show it, and wait."""

import contextlib
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import click

from balsam.client.http import Http, error_of
from balsam.exceptions import LoginRefusedError, ServerError

__all__ = ["log_in"]

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SLOWER_SEC = 5


def log_in(server: Http, sleep: Callable[[float], None] = time.sleep) -> dict[str, Any]:
    """Have a login approved; return the server's reply. Raises LoginRefusedError."""
    client_id = str(uuid.uuid4())
    asked = server.request("POST", "/auth/device/login", data={"client_id": client_id})
    click.echo("To log in, open this page in a browser, here or anywhere else:")
    click.echo(f"\n    {asked['verification_uri_complete']}\n")
    click.echo(f"and approve the login if it shows the code {asked['user_code']}.")
    form = {"grant_type": _GRANT, "device_code": asked["device_code"], "client_id": client_id}
    with _spinner(f"Waiting for {asked['expires_in'] // 60} minutes at most; Ctrl-C gives up"):
        return _wait(server, form, asked["interval"], sleep)


def _wait(server: Http, form: dict[str, str], pause: float, sleep: Callable[[float], None]) -> dict[str, Any]:
    """Ask until there is an answer; a server that is away for a moment is asked again."""
    while True:
        sleep(pause)
        try:
            answer = server.ask("POST", "/auth/device/token", data=form)
        except ServerError:
            pause *= 2
            if pause > 60:
                raise
            continue
        if answer.is_success:
            reply: dict[str, Any] = answer.json()
            return reply
        error = _code_of(answer)
        if error == "slow_down":
            pause += _SLOWER_SEC
        elif error == "access_denied":
            raise LoginRefusedError("The login was denied in the browser. Nothing was changed.")
        elif error == "expired_token":
            raise LoginRefusedError("The code has expired. Type `balsam login` again.")
        elif error != "authorization_pending":
            raise error_of(answer)


def _code_of(answer: Any) -> str:
    try:
        return str(answer.json().get("error", ""))
    except (ValueError, AttributeError):
        return ""


@contextlib.contextmanager
def _spinner(text: str) -> Iterator[None]:
    """Show that something is waited for: turning at a terminal, one line elsewhere."""
    if not sys.stderr.isatty():
        click.echo(f"{text}.", err=True)
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{text} ..."):
        yield

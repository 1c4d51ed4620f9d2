"""`balsam register`, `login`, `logout` and `auth`."""

from datetime import UTC, datetime
from typing import Any

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.logins.asking import address_of, answer, secret
from balsam.cli.options import BalsamCommand
from balsam.cli.verbs import VerbGroup
from balsam.exceptions import LoginNeededError, UsageError

__all__ = ["auth", "login", "logout", "register", "status", "tokens"]


@click.command(
    cls=BalsamCommand,
    help="Make an account at a server.",
    examples=["balsam register", "balsam register --address https://balsam.example.org --username maria"],
)
@click.option("-a", "--address", help="Address of the server.")
@click.option("-u", "--username", help="Name of the account.")
def register(address: str | None, username: str | None) -> None:
    """Ask what was not given, and make the account."""
    from balsam.client.http import Http

    where = address_of(address or answer("Balsam server address"))
    name = username or answer("Balsam username")
    password = secret("Password")
    if password != secret("Confirm Password"):
        raise UsageError("The passwords are not the same. Nothing was registered.")
    body = {"username": name, "password": password}
    made = Http(where).request("POST", "/auth/password/register", json=body)
    click.echo(f"Registration success! {made}")
    click.echo(f"Now log in: balsam login --url {where}")


@click.command(
    cls=BalsamCommand,
    help="Log in to a server.",
    examples=["balsam login", "balsam login --url https://balsam.example.org"],
)
@click.option("-a", "-u", "--url", "--address", "url", help="Address of the server.")
@click.option("--username", help="Name of the account.")
@click.option("-f", "--force", is_flag=True, help="Also when there is a good login.")
def login(url: str | None, username: str | None, force: bool) -> None:
    """Ask what was not given, log in, and remember the login."""
    from balsam.client.http import Http
    from balsam.config.client_file import ClientSettings

    known = None if force else ClientSettings.load_from_file()
    where = address_of(url or answer("Balsam server address", known.api_root if known else ""))
    if known is not None and known.api_root == where and _is_good(known):
        click.echo(f"You already have a good login at {where}, as {known.username}. Use --force to renew it.")
        return
    name = username or answer("Balsam username", known.username if known else "")
    form = {"username": name, "password": secret("Balsam password")}
    reply = Http(where).request("POST", "/auth/password/login", data=form)
    made = ClientSettings(
        api_root=where,
        token=reply["access_token"],
        token_expiry=datetime.fromisoformat(reply["expiration"]),
        username=name,
    )
    path = made.save_to_file()
    click.echo(f"Logged In as {name} at {where}; the login is kept in {path}.")


def _is_good(settings: Any) -> bool:
    """Ask the server whether a login holds."""
    from balsam.client.http import Http

    if not settings.token:
        return False
    try:
        Http(settings.api_root, settings.token).request("GET", "/auth/password/me")
    except LoginNeededError:
        return False
    return True


@click.command(cls=BalsamCommand, help="End the login at the server.", examples=["balsam logout"])
def logout() -> None:
    """Revoke the login, and forget it."""
    from dataclasses import replace

    settings = _settings()
    try:
        _server(settings).request("POST", "/auth/logout")
    except LoginNeededError:
        click.echo("The login was over already.")
    replace(settings, token="", token_expiry=None).save_to_file()
    click.echo(f"Logged out of {settings.api_root}.")


@click.command(
    cls=VerbGroup,
    help="Show the login and others of the account.",
    verbs={
        "status": ("balsam.cli.logins.commands:status", "Show who is logged in where."),
        "tokens": ("balsam.cli.logins.commands:tokens", "List the logins of the account."),
    },
    examples=["balsam auth status", "balsam auth tokens --revoke 3"],
)
def auth() -> None:
    """Never called: without a verb, the help is shown."""


@click.command(cls=BalsamCommand, help="Show who is logged in where.", examples=["balsam auth status"])
def status() -> None:
    """Ask the server who one is."""
    settings = _settings()
    me = _server(settings).request("GET", "/auth/password/me")
    until = settings.token_expiry.astimezone(UTC) if settings.token_expiry else None
    click.echo(f"Logged in at {settings.api_root} as {me['username']}.")
    if until is not None:
        click.echo(f"The login lasts until {until:%Y-%m-%d %H:%M} UTC, and longer each time it is used.")


@click.command(
    cls=BalsamCommand, help="List the logins of the account.", examples=["balsam auth tokens --revoke 3"]
)
@click.option("--revoke", type=int, metavar="ID", help="End this login.")
@output_option
def tokens(revoke: int | None, output: OutputFormat) -> None:
    """List the logins, or end one."""
    server = _server(_settings())
    if revoke is not None:
        server.request("DELETE", f"/auth/tokens/{revoke}")
        click.echo(f"Login {revoke} has ended.")
        return
    columns = [Column(name) for name in ("id", "label", "created", "expires", "last_used")]
    display(server.request("GET", "/auth/tokens"), columns, output)


def _settings() -> Any:
    from balsam.config.client_file import ClientSettings

    found = ClientSettings.load_from_file()
    if found is None or not found.token:
        raise LoginNeededError("You are not logged in. Type `balsam login`.")
    return found


def _server(settings: Any) -> Any:
    from balsam.client.http import Http

    return Http(settings.api_root, settings.token)

"""`balsam register`, `login` and `logout`."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from balsam.cli.logins.asking import address_of, answer, secret, warn_if_in_the_clear
from balsam.cli.options import BalsamCommand
from balsam.exceptions import ConfigError, LoginNeededError, UsageError

if TYPE_CHECKING:
    from balsam.config.client_file import ClientSettings

__all__ = ["login", "logout", "register"]


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
    from balsam.config.client_file import ClientSettings

    known = _known()
    where = address_of(address or answer("Balsam server address", known.api_root if known else ""))
    name = username or answer("Balsam username")
    warn_if_in_the_clear(where)
    password = secret("Password")
    if password != secret("Confirm Password"):
        raise UsageError("The passwords are not the same. Nothing was registered.")
    body = {"username": name, "password": password}
    settings = ClientSettings.at(where, known)
    server = Http(where, settings=settings)
    server.set_patience(False)
    made = server.request("POST", "/auth/password/register", json=body)
    click.echo(f"Registration success! {made}")
    if known is None or not known.token:  # `balsam login` offers this address
        replace(settings, username=name).save_to_file()
    click.echo(f"Now log in: balsam login --url {where}")


@click.command(
    cls=BalsamCommand,
    help="Log in to a server.",
    examples=["balsam login", "balsam login --url https://balsam.example.org", "balsam login --device"],
)
@click.option("-a", "-u", "--url", "--address", "url", help="Address of the server.")
@click.option("--username", help="Name of the account; asks for its password.")
@click.option("--password", "method", flag_value="password", help="With a password, typed here.")
@click.option("--device", "method", flag_value="device", help="With a code, approved in a browser.")
@click.option("-f", "--force", is_flag=True, help="Also when there is a good login.")
def login(url: str | None, username: str | None, method: str | None, force: bool) -> None:
    """Ask what was not given, log in, and remember the login."""
    from balsam.client.http import Http
    from balsam.config.client_file import ClientSettings

    if method == "device" and username:
        raise UsageError("--username goes with a password: the browser asks who you are.")
    known = _known(broken_is_none=force)
    if known is not None and known.token and not force and url in (None, known.api_root) and _is_good(known):
        told = f"You already have a good login at {known.api_root}, as {known.username}."
        click.echo(f"{told} Use --force to renew it.")
        return
    where = address_of(url or answer("Balsam server address", known.api_root if known else ""))
    settings = ClientSettings.at(where, known)
    server = Http(where, settings=settings)
    server.set_patience(False)
    chosen = method or ("password" if username else server.request("GET", "/auth/how")[0])
    if chosen == "device":
        from balsam.cli.logins.device import log_in

        reply = log_in(server)
    else:
        name = username or answer("Balsam username", known.username if known else "")
        warn_if_in_the_clear(where)
        form = {"username": name, "password": secret("Balsam password")}
        reply = server.request("POST", "/auth/password/login", data=form)
    _keep(settings, reply)


def _keep(settings: "ClientSettings", reply: dict[str, Any]) -> None:
    """Remember a login, and say so."""
    from balsam.client.credentials import with_tokens
    from balsam.client.http import Http

    where = settings.api_root
    me = Http(where, reply["access_token"], settings=settings).request("GET", "/auth/password/me")
    made = with_tokens(replace(settings, username=me["username"]), reply)
    path = made.save_to_file()
    click.echo(f"Logged In as {made.username} at {where}; the login is kept in {path}.")


def _known(*, broken_is_none: bool = False) -> Any:
    """Return what client.yml says, if there is one."""
    from balsam.config.client_file import ClientSettings

    try:
        return ClientSettings.load_from_file()
    except ConfigError:
        if broken_is_none:
            return None
        raise


def _is_good(known: Any) -> bool:
    """Ask the server whether a login holds."""
    from balsam.client.http import server_of

    try:
        server_of(known).request("GET", "/auth/password/me")
    except LoginNeededError:
        return False
    return True


@click.command(cls=BalsamCommand, help="End the login at the server.", examples=["balsam logout"])
def logout() -> None:
    """Revoke the login, and forget it."""
    from balsam.cli.logins.auth import stored_login
    from balsam.client.http import server_of

    settings = stored_login()
    try:
        server_of(settings).request("POST", "/auth/logout")
    except LoginNeededError:
        click.echo("The login was over already.")
    settings.logged_out().save_to_file()
    click.echo(f"Logged out of {settings.api_root}.")

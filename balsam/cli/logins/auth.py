"""`balsam auth status`, `tokens`, `revoke` and `token`: the login, and others of the account."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.options import BalsamCommand
from balsam.cli.verbs import VerbGroup
from balsam.exceptions import LoginNeededError, NotFoundError, UsageError
from balsam.schemas.accounts import SCOPES

if TYPE_CHECKING:
    from balsam.client.http import Http
    from balsam.config.client_file import ClientSettings

__all__ = ["auth", "revoke", "status", "stored_login", "token", "tokens"]


@click.command(
    cls=VerbGroup,
    help="Show the login and others of the account.",
    verbs={
        "status": ("balsam.cli.logins.auth:status", "Show who is logged in where."),
        "tokens": ("balsam.cli.logins.auth:tokens", "List the logins of the account."),
        "revoke": ("balsam.cli.logins.auth:revoke", "End logins of the account."),
        "token": ("balsam.cli.logins.auth:token", "Make a token for a program."),
    },
    examples=["balsam auth status", "balsam auth token --scope read --save ~/reader.yml"],
)
def auth() -> None:
    """Never called: without a verb, the help is shown."""


@click.command(cls=BalsamCommand, help="Show who is logged in where.", examples=["balsam auth status"])
@output_option
def status(output: OutputFormat) -> None:
    """Ask the server who one is."""
    from balsam.config.client_file import ClientSettings

    login, server = _connected()
    me = server.request("GET", "/auth/status")
    if output is not OutputFormat.TABLE:
        display([{"server": login.api_root, **me}], [Column(name) for name in ("server", *me)], output)
        return
    click.echo(f"Logged in at {login.api_root} as {me['username']}, for {', '.join(me['scopes'])}.")
    if me["site_id"] is not None:
        click.echo(f"The login is limited to site {me['site_id']}.")
    click.echo(f"The token lasts until {datetime.fromisoformat(me['expires']):%Y-%m-%d %H:%M} UTC.")
    now = ClientSettings.load_from_file()
    if now is not None and now.refresh_token:
        click.echo("It is renewed by itself, as long as it is used once in 30 days.")


@click.command(
    cls=BalsamCommand, help="List the logins of the account.", examples=["balsam auth tokens -o json"]
)
@output_option
def tokens(output: OutputFormat) -> None:
    """List the live logins."""
    _, server = _connected()
    rows = server.request("GET", "/auth/tokens")
    if output is OutputFormat.TABLE:
        rows = [{**row, "scopes": " ".join(row["scopes"])} for row in rows]
    names = ("id", "label", "scopes", "site_id", "created", "expires", "last_used")
    display(rows, [Column(name) for name in names], output)


@click.command(cls=BalsamCommand, help="End logins of the account.", examples=["balsam auth revoke 3"])
@click.argument("login_ids", metavar="ID...", type=int, nargs=-1, required=True)
def revoke(login_ids: tuple[int, ...]) -> None:
    """End each; a program that uses one is refused from then on."""
    _, server = _connected()
    for login_id in login_ids:
        server.request("DELETE", f"/auth/tokens/{login_id}")
        click.echo(f"Login {login_id} has ended.")


@click.command(
    cls=BalsamCommand,
    help="Make a token for a program.",
    examples=[
        "balsam auth token --scope read --days 7",
        "balsam auth token --scope read --scope submit --scope agent --site theta --save ~/theta.yml",
    ],
)
@click.option("--scope", "scopes", type=click.Choice(list(SCOPES)), multiple=True, help="What it is for.")
@click.option("--site", help="The one site it is for, by name or id.")
@click.option("--days", type=float, default=90, show_default=True, help="How long it lasts.")
@click.option("--label", default="", help="What to call it in `balsam auth tokens`.")
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), help="Write it to this file instead."
)
def token(scopes: tuple[str, ...], site: str | None, days: float, label: str, save: Path | None) -> None:
    """Make one, and show it this once."""
    from balsam.client.credentials import with_tokens

    if not scopes:
        raise UsageError(f"Name what it is for: --scope {', --scope '.join(SCOPES)}.")
    login, server = _connected()
    site_id = None if site is None else _site_id(server, site)
    body = {"scopes": list(scopes), "site_id": site_id, "days": days, "label": label or "balsam auth token"}
    made = server.request("POST", "/auth/tokens", json=body)
    if save is None:
        click.echo(made["access_token"])
        click.echo(f"It lasts until {made['expiration'][:16]} UTC, and is not shown again.", err=True)
        return
    with_tokens(login, made).save_to_file(save)
    click.echo(f"Wrote {save}. Programs use it with BALSAM_CLIENT_PATH={save}")


def _site_id(server: "Http", site: str) -> int:
    """Find a site of the account by its id or name."""
    number = int(site) if site.isdecimal() else None
    params = {"name": site} if number is None else {"id": number}
    found = server.request("GET", "/sites/", params=params)["results"]
    if len(found) != 1:
        raise NotFoundError(f"There is no site {site!r}. `balsam site ls` lists yours.")
    return int(found[0]["id"])


def stored_login() -> "ClientSettings":
    """Return the login in client.yml; raises LoginNeededError when there is none."""
    from balsam.config.client_file import ClientSettings

    found = ClientSettings.load_from_file()
    if found is None or not found.token:
        raise LoginNeededError("You are not logged in. Type `balsam login`.")
    return found


def _connected() -> "tuple[ClientSettings, Http]":
    from balsam.client.http import server_of

    login = stored_login()
    return login, server_of(login)

"""`balsam site globus-login`: let the agents of this user move files by Globus."""

import os
from uuid import UUID

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import ask
from balsam.exceptions import UsageError

_ENVIRON = "BALSAM_GLOBUS_CLIENT_ID"


@click.command(
    cls=BalsamCommand,
    help="Log in to Globus.",
    examples=[
        "balsam site globus-login",
        "balsam site globus-login -e 08925f04-569f-11e7-bef8-22000b9a448b",
    ],
)
@click.option(
    "-e", "--endpoint_id", "--endpoint-id", "endpoints", multiple=True, metavar="ID",
    help="Consent to the use of this endpoint's data; may be given again.",
)  # fmt: skip
@click.option("--client-id", default="", metavar="ID", help="Log in by this native app of Globus.")
@click.option("--again", is_flag=True, help="Log in although there is a login.")
def globus_login(endpoints: tuple[str, ...], client_id: str, again: bool) -> None:
    """Show a link, take the code that is shown at its end, and keep the tokens for the agents."""
    from balsam.processing.transfers.globus_login import GlobusFlow, login_file, read_login

    wanted = [_id(endpoint) for endpoint in endpoints]
    login = read_login()
    known = login.consents if login is not None else ()
    app = client_id or os.environ.get(_ENVIRON, "") or (login.client_id if login is not None else "")
    if login is not None and app == login.client_id and not again and set(wanted) <= set(known):
        click.echo(f"There is a login to Globus already, in {login_file()}. `--again` logs in anew.")
        return
    if not app:
        raise UsageError(
            "Which app logs in? Register a `thick client` at https://app.globus.org/settings/developers, "
            f"and pass its id: --client-id ID, or {_ENVIRON}. It is remembered."
        )
    flow = GlobusFlow(app, (*known, *wanted))
    click.echo(f"Log in to Globus here:\n\n{flow.link}\n")
    flow.finish(ask("The code that is shown at the end: ", "Open the link, then type the command again"))
    click.echo(f"Logged in to Globus: the login is in {login_file()}.")
    click.echo("Transfers that wait for it go on within seconds.")


def _id(endpoint: str) -> str:
    try:
        return str(UUID(endpoint))
    except ValueError:
        words = f"{endpoint!r} is no id of an endpoint: https://app.globus.org/collections shows it."
        raise UsageError(words) from None

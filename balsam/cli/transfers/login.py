"""`balsam transfer login`: log in once to a host that asks for a password or a code."""

from typing import TYPE_CHECKING

import click

from balsam.cli.options import BalsamCommand
from balsam.exceptions import NoDatabaseError, UsageError

if TYPE_CHECKING:
    from balsam.platform.transfer import Place


@click.command(
    cls=BalsamCommand,
    help="Log in to a host that files come from or go to.",
    examples=["balsam transfer login ada@host.example.org", "balsam transfer login laptop"],
)
@click.argument("host")
@click.option("--answer-with", default="", metavar="PROGRAM", help="Let a program answer what ssh asks.")
def login(host: str, answer_with: str) -> None:
    """Open the connection that the agent on this machine uses, and have what waits for it go on."""
    from balsam.platform.transfer import parse_address
    from balsam.processing.transfers.logins import log_in
    from balsam.remote.prompts import AT_TERMINAL, answered_by

    for place in _at_locations(host) or [parse_address(f"rsync://{host}/")]:
        prompts = answered_by(answer_with) if answer_with else AT_TERMINAL
        is_new = log_in(place, prompts)
        click.echo(
            f"Logged in to {place.login}." if is_new else f"There is a login to {place.login} already."
        )
    click.echo("Transfers that wait for it go on within seconds.")


def _at_locations(alias: str) -> "list[Place]":
    """Return the hosts that an alias of the active sites stands for; none for what is no alias."""
    from balsam.api.models import Site
    from balsam.platform.transfer import parse_location

    found = []
    try:
        sites = list(Site.objects.all())
    except NoDatabaseError:
        return []
    for site in sites:
        if alias in site.transfer_locations:
            place = parse_location(alias, site.transfer_locations[alias])
            if place.transport not in ("rsync", "scp"):
                hint = " Type `balsam site globus-login`." if place.transport == "globus" else ""
                raise UsageError(
                    f"{alias!r} is {site.transfer_locations[alias]!r}: that is not by ssh.{hint}"
                )
            found.append(place)
    return found

"""`balsam server unit`: write a unit of systemd."""

from pathlib import Path

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.rest.place import place, place_option


@click.command(
    cls=BalsamCommand,
    help="Print a systemd unit that serves a database.",
    examples=["balsam server unit -p /srv/balsam --user balsam > balsam.service"],
)
@place_option
@click.option("--user", default="", help="Account to run as. Default: yours.")
def unit(path: Path | None, user: str) -> None:
    """Print it."""
    from balsam.server.unit import unit_text

    click.echo(unit_text(place(path), user), nl=False)

"""`balsam server status`: say whether a database is served over HTTP."""

from pathlib import Path

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.rest.place import place, place_option


@click.command(
    cls=BalsamCommand,
    help="Say whether the REST server runs.",
    examples=["balsam server status", "balsam server status -p /srv/balsam"],
)
@place_option
def status(path: Path | None) -> None:
    """Say where it runs; exit with 1 when it does not."""
    from balsam.server.running import status as last_started

    db_path = place(path)
    served = last_started(db_path)
    if served is None or served.is_running is False:
        click.echo("No server is running. `balsam server up` starts one.")
        raise click.exceptions.Exit(1)
    click.echo(f"{served.address}, on {served.process.host} (pid {served.process.pid}); log: {served.log}")

"""`balsam server down`: stop serving a database over HTTP."""

from pathlib import Path

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.rest.place import place, place_option


@click.command(
    cls=BalsamCommand,
    help="Stop the REST server.",
    examples=["balsam server down", "balsam server down -p /srv/balsam"],
)
@place_option
def down(path: Path | None) -> None:
    """Stop it, and wait until it has ended; a database that is there to be served, too."""
    from balsam.postgres import Cluster
    from balsam.server.running import stop
    from balsam.server.settings import is_deployed

    db_path = place(path)
    click.echo("The server has stopped." if stop(db_path) else "No server was running.")
    if is_deployed(db_path) and Cluster(db_path).stop():
        click.echo(f"Its database {db_path} has stopped, too.")

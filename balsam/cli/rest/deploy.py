"""`balsam server deploy`: make a database that is there to be served."""

import shlex
from pathlib import Path
from typing import Any

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.rest.place import needs_server_extra
from balsam.cli.rest.settings_options import chosen, settings_options


@click.command(
    cls=BalsamCommand,
    help="Make a database for many accounts, to be served.",
    examples=[
        "balsam server deploy -p /srv/balsam",
        "balsam server deploy -p /srv/balsam --host 0.0.0.0 --self-signed --name balsam.lab.org",
    ],
)
@click.option(
    "-p", "--path", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Directory to make."
)
@settings_options
def deploy(path: Path, **given: Any) -> None:
    """Make it, and say how to go on."""
    needs_server_extra()
    from balsam.server.deploying import deploy as make
    from balsam.server.settings import ServerSettings, settings_path

    root = make(path, ServerSettings().changed(**chosen(given)))
    where = shlex.quote(str(root))
    click.echo(f"Made: {root}, with an empty database. Its settings are in {settings_path(root)}")
    click.echo(f"Serve it with:  balsam server up -p {where}")
    click.echo(f"At each boot:   balsam server unit -p {where}  writes a unit of systemd")

"""`balsam server up`: serve a database over HTTP."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.rest.place import needs_server_extra, place, place_option
from balsam.cli.rest.settings_options import chosen, settings_options

if TYPE_CHECKING:
    from balsam.server.settings import ServerSettings


@click.command(
    cls=BalsamCommand,
    help="Serve a database over HTTP.",
    examples=[
        "balsam server up",
        "balsam server up -p /srv/balsam",
        "balsam server up --host 0.0.0.0 --self-signed",
    ],
)
@place_option
@settings_options
@click.option("--foreground", is_flag=True, help="Stay, and log to the terminal.")
def up(path: Path | None, foreground: bool, **given: Any) -> None:
    """Start it, and say where it is."""
    needs_server_extra()
    from balsam.postgres import Cluster
    from balsam.server.running import refuse_second, start
    from balsam.server.settings import read_settings

    db_path = place(path)
    settings = read_settings(db_path).changed(**chosen(given))
    refuse_second(db_path)
    Cluster(db_path).ensure_running()
    os.environ["BALSAM_DB_PATH"] = str(db_path)
    if foreground:
        from balsam.server.serving import serve

        _say_how_to_trust(db_path, settings)
        serve(db_path, settings, in_foreground=True)
        return
    served = start(db_path, settings)
    click.echo(f"Serving {db_path} at {served.address} (pid {served.process.pid}); log: {served.log}")
    _say_how_to_trust(db_path, settings)


def _say_how_to_trust(db_path: Path, settings: "ServerSettings") -> None:
    if settings.self_signed:
        click.echo(
            f"Clients need {db_path / 'tls' / 'ca.pem'}, which is no secret: on each machine, save it, and\n"
            "export BALSAM_CA_FILE=/where/it/is/ca.pem before `balsam login`, which remembers it."
        )
    elif not (settings.is_encrypted or settings.is_local):
        click.echo("Note: passwords travel in the clear.", err=True)

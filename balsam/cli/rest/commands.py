"""`balsam server up`, `down` and `status`: run the REST server of the active database."""

from importlib.util import find_spec
from pathlib import Path

import click

from balsam.cli.options import BalsamCommand
from balsam.exceptions import UsageError

__all__ = ["down", "status", "up"]


@click.command(
    cls=BalsamCommand,
    help="Serve the active database over HTTP.",
    examples=["balsam server up", "balsam server up --host 0.0.0.0 --port 8000 --tls cert.pem key.pem"],
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Interface to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0: any.")
@click.option(
    "--tls",
    nargs=2,
    metavar="CERTIFICATE KEY",
    help="Serve HTTPS.",
)
def up(host: str, port: int, tls: tuple[str, str] | None) -> None:
    """Start it in the background, and say where it is."""
    if not (find_spec("fastapi") and find_spec("uvicorn")):
        raise UsageError("The server is not installed. Type: pip install 'balsam[server]'")
    for name in tls or ():
        if not Path(name).is_file():
            raise UsageError(f"There is no file {name}: --tls takes a certificate and its key, as PEM files.")
    from balsam.core.active import active_db_path
    from balsam.postgres import Cluster
    from balsam.server.running import start

    db_path = active_db_path()
    Cluster(db_path).ensure_running()
    served = start(db_path, host, port, tls)
    click.echo(f"Serving {db_path} at {served.address} (pid {served.process.pid}); log: {served.log}")
    if host not in ("127.0.0.1", "::1", "localhost") and tls is None:
        click.echo("Note: passwords travel in the clear; give --tls, or put a proxy before it.", err=True)


@click.command(cls=BalsamCommand, help="Stop the REST server.", examples=["balsam server down"])
def down() -> None:
    """Stop it, and wait until it has ended."""
    from balsam.core.active import active_db_path
    from balsam.server.running import stop

    click.echo("The server has stopped." if stop(active_db_path()) else "No server was running.")


@click.command(cls=BalsamCommand, help="Say whether the REST server runs.", examples=["balsam server status"])
def status() -> None:
    """Say where it runs; exit with 1 when it does not."""
    from balsam.core.active import active_db_path
    from balsam.server.running import status as last_started

    served = last_started(active_db_path())
    if served is None or served.is_running is False:
        click.echo("No server is running. `balsam server up` starts one.")
        raise click.exceptions.Exit(1)
    click.echo(f"{served.address}, on {served.process.host} (pid {served.process.pid}); log: {served.log}")

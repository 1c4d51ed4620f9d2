"""`balsam server`: start, stop or inspect the active database's server."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.options import BalsamCommand
from balsam.cli.registering import register
from balsam.exceptions import DatabaseUnreachable

_STATUS_COLUMNS = [Column(name) for name in ("db_path", "is_running", "host", "port", "pid", "socket_dir")]
_CONNECTION_COLUMNS = [Column(name) for name in ("pid", "application", "user", "state", "query")]


@click.command(
    cls=BalsamCommand,
    help="Start, stop or inspect the server of the active database.",
    examples=["balsam server --connect", "balsam server --status -o json", "balsam server --reset"],
)
@click.option("--connect", is_flag=True, help="Connect to it; start it if it is down.")
@click.option("--reset", is_flag=True, help="Stop it and start it again.")
@click.option("--stop", is_flag=True, help="Stop it; its clients are cut off.")
@click.option("--status", is_flag=True, help="Say whether it runs, and where.")
@click.option("--list-active-connections", is_flag=True, help="List who is connected.")
@click.option("--force-takeover", is_flag=True, help="With --connect: another host's server is surely dead.")
@output_option
def server(force_takeover: bool, output: OutputFormat, **actions: bool) -> None:
    """Do the one thing asked for."""
    from balsam.postgres.active import active_db_path

    asked_for = [name for name, is_given in actions.items() if is_given]
    if len(asked_for) != 1:
        raise click.UsageError(f"Give exactly one of {', '.join(map(option_name, actions))}.")
    if force_takeover and asked_for != ["connect"]:
        raise click.UsageError("--force-takeover goes with --connect only.")
    db_path = active_db_path()
    functions: dict[str, Callable[[], None]] = {
        "connect": lambda: connect(db_path, force_takeover),
        "reset": lambda: reset(db_path),
        "stop": lambda: stop(db_path),
        "status": lambda: show_status(db_path, output),
        "list_active_connections": lambda: show_connections(db_path, output),
    }
    functions[asked_for[0]]()


def option_name(parameter: str) -> str:
    """Name an option as it is typed."""
    return "--" + parameter.replace("_", "-")


def connect(db_path: Path, force_takeover: bool) -> None:
    """Have the server run, log in, and register the database."""
    from balsam.postgres import Cluster
    from balsam.postgres.serverinfo import protect_server_info
    from balsam.postgres.sessions import check_login

    started = Cluster(db_path).ensure_running(force_takeover=force_takeover)
    check_login(db_path)
    if protect_server_info(db_path):
        click.echo(
            f"Others could read the password in {db_path}/server-info; its mode is 0600 now.", err=True
        )
    register(db_path)
    click.echo(
        f"{'Started the server of' if started else 'Connected to already running server of'} {db_path}"
    )


def reset(db_path: Path) -> None:
    """Stop the server and start it again."""
    from balsam.postgres import Cluster
    from balsam.postgres.sessions import check_login

    Cluster(db_path).reset()
    check_login(db_path)
    click.echo(f"Stopped the server of {db_path} and started it again.")


def stop(db_path: Path) -> None:
    """Stop the server."""
    from balsam.postgres import Cluster

    was_running = Cluster(db_path).stop()
    click.echo(
        f"Stopped the server of {db_path}." if was_running else f"The server of {db_path} was not running."
    )


def show_status(db_path: Path, output: OutputFormat) -> None:
    """Print what can be seen of the server; raises DatabaseUnreachable if it is down."""
    from balsam.postgres import Cluster

    status = Cluster(db_path).status()
    display([asdict(status)], _STATUS_COLUMNS, output)
    if not status.is_running:
        raise DatabaseUnreachable(
            f"The server of {db_path} is not running, as far as this host can see.\n"
            "Start it with `balsam server --connect`."
        )


def show_connections(db_path: Path, output: OutputFormat) -> None:
    """Print who is connected."""
    from balsam.postgres.sessions import active_connections

    display([asdict(row) for row in active_connections(db_path)], _CONNECTION_COLUMNS, output)

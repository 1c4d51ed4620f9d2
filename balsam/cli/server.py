"""`balsam server`: start, stop or inspect the active database's server."""

import shlex
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.registering import register
from balsam.cli.verbs import VerbedCommand
from balsam.exceptions import DatabaseUnreachable

_STATUS_COLUMNS = [Column(name) for name in ("db_path", "is_running", "host", "port", "pid", "socket_dir")]
_CONNECTION_COLUMNS = [Column(name) for name in ("pid", "application", "user", "state", "query")]
_USER_COLUMNS = [Column(name) for name in ("user", "is_owner", "connections")]


@click.command(
    cls=VerbedCommand,
    verbs={
        "up": ("balsam.cli.rest.up:up", "Serve a database over HTTP."),
        "down": ("balsam.cli.rest.down:down", "Stop the REST server."),
        "status": ("balsam.cli.rest.status:status", "Say whether the REST server runs."),
        "deploy": ("balsam.cli.rest.deploy:deploy", "Make a database for many accounts, to be served."),
        "migrate": ("balsam.cli.rest.migrate:migrate", "Bring the tables of an older version up to date."),
        "unit": ("balsam.cli.rest.unit:unit", "Print a systemd unit that serves a database."),
    },
    help="Start, stop or inspect the server of the active database.",
    examples=[
        "balsam server --connect",
        "balsam server --status -o json",
        "balsam server --reset",
        "balsam server --add-user maria",
    ],
)
@click.option("--connect", is_flag=True, help="Connect to it; start it if it is down.")
@click.option("--reset", is_flag=True, help="Stop it and start it again.")
@click.option("--stop", is_flag=True, help="Stop it; its clients are cut off.")
@click.option("--status", is_flag=True, help="Say whether it runs, and where.")
@click.option("--list-active-connections", is_flag=True, help="List who is connected.")
@click.option("--add-user", metavar="U", help="Let another user of this machine work in the database.")
@click.option("--drop-user", metavar="U", help="Take that right away again.")
@click.option("--list-users", is_flag=True, help="List the owner and the users added.")
@click.option("--force-takeover", is_flag=True, help="With --connect: another host's server is surely dead.")
@output_option
def server(
    force_takeover: bool,
    output: OutputFormat,
    add_user: str | None,
    drop_user: str | None,
    **flags: bool,
) -> None:
    """Do the one thing asked for."""
    from balsam.postgres.active import active_db_path

    actions = {**flags, "add_user": add_user is not None, "drop_user": drop_user is not None}
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
        "list_users": lambda: show_users(db_path, output),
        "add_user": lambda: add(db_path, add_user or ""),
        "drop_user": lambda: drop(db_path, drop_user or ""),
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
    from balsam.postgres.cluster import check_is_here
    from balsam.postgres.sessions import check_login

    check_is_here(db_path)
    Cluster(db_path).reset()
    check_login(db_path)
    click.echo(f"Stopped the server of {db_path} and started it again.")


def stop(db_path: Path) -> None:
    """Stop the server."""
    from balsam.postgres import Cluster
    from balsam.postgres.cluster import check_is_here

    check_is_here(db_path)
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


def show_users(db_path: Path, output: OutputFormat) -> None:
    """Print who can log in."""
    from balsam.postgres.sharing import list_users

    display([asdict(user) for user in list_users(db_path)], _USER_COLUMNS, output)


def add(db_path: Path, user: str) -> None:
    """Let a user log in, and say how they do."""
    from balsam.postgres.sharing import add_user

    added = add_user(db_path, user)
    click.echo(f"Added the user {user!r}. The way in, with a password of their own, is in the file")
    click.echo(f"  {added.info_path}")
    if added.can_read:
        click.echo(
            f"which only you two can read. They type `. balsamactivate {shlex.quote(str(db_path))}`, and need"
            " the right to enter each folder above it."
        )
    else:
        click.echo(
            "which only you can read. Give it to them by a safe way: they save it as `server-info`, mode"
            " 0600, in a directory of their own, and type `. balsamactivate DIRECTORY`."
        )
    click.echo("Note: who can add jobs can have anything run by the launchers of this database.", err=True)


def drop(db_path: Path, user: str) -> None:
    """Take the right to log in away."""
    from balsam.postgres.sharing import drop_user

    drop_user(db_path, user)
    click.echo(f"Dropped the user {user!r}; their connections are cut, their jobs stay.")

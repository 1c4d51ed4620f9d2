"""`balsam which`: show the active database, or list the known ones."""

import os
import pprint
from pathlib import Path

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.options import BalsamCommand

_KNOWN_COLUMNS = [Column("path"), Column("is_active")]
#: Parts of names of keys whose values nobody should see on a screen.
_SECRET_WORDS = ("password", "secret", "token")


@click.command(
    cls=BalsamCommand,
    help="Show the active database, or list the known ones.",
    examples=["balsam which", "balsam which --list -o json", "balsam which --name mydb"],
)
@click.option("--list", "list_all", is_flag=True, help="List the databases of this user.")
@click.option("--name", metavar="S", help="Print the path of the database with S in it.")
@output_option
def which(list_all: bool, name: str | None, output: OutputFormat) -> None:
    """Print a path, the list, or what is known of the active database."""
    from balsam.config import known_databases

    if list_all and name is not None:
        raise click.UsageError("--list and --name exclude each other.")
    if name is not None:
        click.echo(known_databases.find(name))
    elif list_all:
        show_known(output)
    elif os.environ.get("BALSAM_DB_PATH"):
        show_active(output)
    else:
        click.echo("No database is active (BALSAM_DB_PATH is not set). Known databases:", err=True)
        show_known(output)


def show_known(output: OutputFormat) -> None:
    """List the known databases."""
    from balsam.config import known_databases

    active = os.environ.get("BALSAM_DB_PATH")
    active_path = Path(active).expanduser().resolve() if active else None
    rows = [{"path": path, "is_active": path == active_path} for path in known_databases.known_databases()]
    display(rows, _KNOWN_COLUMNS, output)


def show_active(output: OutputFormat) -> None:
    """Print the path of the active database, and where its server is; never its password."""
    from balsam.postgres import read_server_info
    from balsam.postgres.active import active_db_path

    db_path = active_db_path()
    document = read_server_info(db_path).to_json()
    shown = {key: value for key, value in document.items() if not is_secret(key)}
    if output is OutputFormat.TABLE:
        click.echo(f"Current database: {db_path}")
        click.echo(pprint.pformat(shown, sort_dicts=False))
    else:
        row = {"path": str(db_path), **shown}
        display([row], [Column(key) for key in row], output)


def is_secret(key: str) -> bool:
    """Say whether a value of this name must not be shown."""
    return any(word in key.lower() for word in _SECRET_WORDS)

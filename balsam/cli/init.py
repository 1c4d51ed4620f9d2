"""`balsam init`: make a database, or bring one up to date."""

import shlex
from pathlib import Path

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.registering import register
from balsam.exceptions import BalsamError


@click.command(
    cls=BalsamCommand,
    help="Make a database, or bring one up to date.",
    examples=["balsam init ~/mydb", ". balsamactivate mydb"],
)
@click.argument("path", type=click.Path(path_type=Path))
def init(path: Path) -> None:
    """Make the database, register it, and say how to go on."""
    from balsam.postgres import Cluster

    cluster = Cluster(path)
    is_new = cluster.init(_migrate)
    register(cluster.db_path)
    leave_policy()
    click.echo(f"{'Made' if is_new else 'Brought up to date'}: the database {cluster.db_path}")
    click.echo(f"Activate it with:  . balsamactivate {shlex.quote(shortest_name(cluster.db_path))}")


def leave_policy() -> None:
    """Make the queue policy of the service, for the user to edit, unless there is one."""
    from balsam.config import user_settings
    from balsam.config.queue_policy import ensure_policy_file

    try:
        ensure_policy_file(user_settings())
    except BalsamError as error:  # only the service needs it, and says the same
        click.echo(f"Warning: {error}", err=True)


def shortest_name(db_path: Path) -> str:
    """Return the last part of the path where that is enough to find the database, else the whole path."""
    from balsam.config import known_databases

    try:
        is_enough = known_databases.find(db_path.name) == db_path
    except BalsamError:
        is_enough = False
    return db_path.name if is_enough else str(db_path)


def _migrate(db_path: Path) -> None:
    from balsam.server.deploying import bring_up_to_date  # Django is imported only once the server runs

    bring_up_to_date(db_path)

"""`balsam init`: make a database, or bring one up to date."""

from pathlib import Path

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.registering import register


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
    click.echo(f"{'Made' if is_new else 'Brought up to date'}: the database {cluster.db_path}")
    click.echo(f"Activate it with:  . balsamactivate {quoted_name(path)}")


def quoted_name(path: Path) -> str:
    """Name the database as a shell takes it."""
    import shlex

    return shlex.quote(path.expanduser().resolve().name)


def _migrate(db_path: Path) -> None:
    from balsam.core.schema import migrate  # Django is imported only once the server runs

    migrate(db_path)

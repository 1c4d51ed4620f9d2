"""`balsam server migrate`: bring the tables of an older version up to date."""

from pathlib import Path

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.rest.place import place, place_option


@click.command(
    cls=BalsamCommand,
    help="Bring the tables of an older version up to date.",
    examples=["balsam server migrate -p /srv/balsam"],
)
@place_option
def migrate(path: Path | None) -> None:
    """Change the tables, and say what was done. The database is as it was afterwards: running or not."""
    from balsam.postgres import Cluster

    db_path = place(path)
    cluster = Cluster(db_path)
    was_started = cluster.ensure_running()
    try:
        from balsam.server.deploying import bring_up_to_date

        done = bring_up_to_date(db_path)
    finally:
        if was_started:
            cluster.stop()
    for name in done:
        click.echo(f"Done: {name}")
    click.echo(f"The tables of {db_path} are {'now' if done else 'already'} those of this Balsam.")

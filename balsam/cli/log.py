"""`balsam log`: follow the log files of the database."""

import time

import click

from balsam.cli.options import BalsamCommand


@click.command(
    cls=BalsamCommand,
    help="Follow the log files of the database.",
    examples=["balsam log", "balsam log --lines 100 --no-follow"],
)
@click.option(
    "--lines",
    "last_lines",
    type=click.IntRange(min=0),
    default=10,
    help="Old lines of each file (default: 10).",
)
@click.option("--no-follow", is_flag=True, help="Show the old lines and end.")
def log(last_lines: int, no_follow: bool) -> None:
    """Print what the logs say, new files too, until interrupted."""
    from balsam.core.active import active_db_path
    from balsam.lib.following import Follower, follow, headed

    directory = active_db_path() / "log"
    follower = Follower(directory, "*.log", last_lines)
    lines = headed(follower.read_new()) if no_follow else follow(follower, time.sleep)
    for line in lines:
        click.echo(line)

"""`balsam make_dummies`: add jobs that do nothing."""

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.progress import progress_bar


@click.command(
    "make_dummies",
    cls=BalsamCommand,
    help="Add jobs that do nothing, to try things.",
    examples=["balsam make_dummies 1000 && balsam launcher --wf-filter dummy --job-mode serial"],
)
@click.argument("count", metavar="N", type=click.IntRange(min=1))
def make_dummies(count: int) -> None:
    """Add N jobs named dummy0, dummy1 and so on, in the workflow `dummy`."""
    from balsam.core.defining import add_dummies

    with progress_bar("Adding jobs", count) as bar:
        add_dummies(count, bar.advance)
    click.echo(f"Added {count} jobs to the workflow 'dummy'.")

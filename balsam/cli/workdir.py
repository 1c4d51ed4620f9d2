"""`balsam workdir`: print the working directory of a job, for `bcd`."""

import click

from balsam.cli.options import BalsamCommand


@click.command(
    cls=BalsamCommand,
    help="Print the working directory of a job.",
    examples=["balsam workdir 3f2a"],
)
@click.argument("job_id", metavar="ID")
def workdir(job_id: str) -> None:
    """Print the path, whether the directory exists or not."""
    from balsam.core import workdirs

    click.echo(workdirs.find(job_id))

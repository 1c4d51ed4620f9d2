"""`balsam job rm`: delete jobs."""

from typing import Any

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import confirm
from balsam.cli.selection import job_filters, job_selection
from balsam.exceptions import UsageError


@click.command(
    cls=BalsamCommand,
    help="Delete jobs.",
    examples=["balsam job rm --id 7", "balsam job rm --tag workflow=hello --yes", "balsam job rm --all"],
)
@job_selection
@click.option("--all", "is_all", is_flag=True, help="All jobs of the site.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def rm(is_all: bool, yes: bool, **selection: Any) -> None:
    """Show how many jobs it concerns, ask, and delete them."""
    from balsam.api.models import Job

    if not is_all and not any(selection.values()):
        raise UsageError("Say which jobs: --id, --tag, --state, --app, --workdir, --site, or --all.")
    query = Job.objects.filter(**job_filters(**selection))
    count = query.count()
    if not count:
        click.echo("No jobs match deletion query")
        return
    if not yes and not confirm(f"Really delete {count} jobs?"):
        click.echo("Nothing was deleted.")
        return
    click.echo(f"Deleted {query.delete()} jobs.")

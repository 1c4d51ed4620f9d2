"""`balsam job rm`: delete jobs."""

from typing import Any

import click

from balsam.cli.jobs.preview import jobs_text, show_jobs, tell_refused
from balsam.cli.jobs.selecting import filters_of, job_selection, portions
from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import confirm
from balsam.exceptions import UsageError


@click.command(
    cls=BalsamCommand,
    help="Delete jobs.",
    examples=["balsam job rm 7", "balsam job rm --tag workflow=hello --yes", "balsam job rm --all --dry-run"],
)
@job_selection
@click.option("--all", "is_all", is_flag=True, help="All jobs of the site.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and do nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def rm(is_all: bool, dry_run: bool, yes: bool, **selection: Any) -> None:
    """Show how many jobs it concerns, ask, and delete those that nobody holds."""
    from balsam.api.models import Job

    if not is_all and not any(selection.values()):
        raise UsageError("Say which jobs: an ID, --tag, --state, --app, --workdir, --site, or --all.")
    jobs = list(Job.objects.filter(**filters_of(**selection)).order_by("id"))
    if not jobs:
        click.echo("No jobs match deletion query")
        return
    if dry_run or not yes:
        show_jobs(jobs)
    if dry_run or not (yes or confirm(f"Really delete {jobs_text(len(jobs))}?")):
        click.echo("Nothing was deleted.")
        return
    deleted, refused = _delete([job.id for job in jobs])
    done = f"Deleted {jobs_text(deleted)}"
    tell_refused(done, refused)
    click.echo(f"{done}.")


def _delete(numbers: list[int]) -> tuple[int, dict[int, str]]:
    """Delete the jobs that were shown, and no others; return how many, and why some were not."""
    from balsam.api.connection import client
    from balsam.schemas.resources import Query

    deleted = 0
    refused: dict[int, str] = {}
    for part in portions(numbers):
        reply = client().delete_resources("job", Query(filters={"id": part}))
        deleted += reply.deleted
        refused.update(reply.refused)
    return deleted, refused

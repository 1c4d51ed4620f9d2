"""`balsam job ls`: list the jobs of sites."""

from typing import Any

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.jobs.selecting import filters_of, job_selection
from balsam.cli.options import BalsamCommand

_COLUMNS = [
    Column("id", title="ID"),
    Column("site", title="Site"),
    Column("app", title="App"),
    Column("workdir", title="Workdir"),
    Column("state", title="State"),
    Column("tags", title="Tags"),
]
_COUNTS = [Column("state", title="State"), Column("count", title="Count")]


@click.command(
    cls=BalsamCommand,
    help="List jobs of sites.",
    examples=["balsam job ls --tag workflow=hello", "balsam job ls --state FAILED --site all -o json"],
)
@job_selection
@click.option("--by-state", is_flag=True, help="Count the jobs of each state.")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="At most so many, the newest.")
@click.option("-v", "--verbose", is_flag=True, help="Show all fields, as YAML.")
@output_option
def ls(by_state: bool, limit: int | None, verbose: bool, output: OutputFormat, **selection: Any) -> None:
    """List, count, or show in full."""
    from balsam.api.connection import client
    from balsam.api.models import Job
    from balsam.schemas.resources import Query

    filters = filters_of(**selection)
    if by_state:
        counts = client().count_resources("job", Query(filters=filters), "state")
        display([{"state": s, "count": n} for s, n in sorted(counts.items())], _COUNTS, output)
        return
    query = Job.objects.filter(**filters)
    jobs = list(query) if limit is None else list(query.order_by("-id")[:limit])[::-1]
    if not jobs and output is OutputFormat.TABLE:
        click.echo("No jobs match. `balsam job ls --site all` lists those of all sites.", err=True)
    if verbose and output is OutputFormat.TABLE:
        for job in jobs:
            click.echo(f"{job}---")
        return
    display(_rows(jobs), _COLUMNS, output)


def _rows(jobs: list[Any]) -> list[dict[str, Any]]:
    from balsam.api.models import App, Site

    apps = {app.id: app.name for app in App.objects.filter(id=list({job.app_id for job in jobs}))}
    sites = {site.id: site.name for site in Site.objects.all()}
    return [
        {
            "id": job.id,
            "site": sites.get(job.site_id, ""),
            "app": apps.get(job.app_id, ""),
            "workdir": job.workdir,
            "state": job.state,
            "tags": job.tags,
        }
        for job in jobs
    ]

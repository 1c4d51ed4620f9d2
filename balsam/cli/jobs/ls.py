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
#: Jobs in a table, if no limit is given.
_FIRST_PAGE = 1_000
_COUNTS = [Column("state", title="State"), Column("count", title="Count")]


@click.command(
    cls=BalsamCommand,
    help="List jobs of sites.",
    examples=["balsam job ls --tag workflow=hello", "balsam job ls --state FAILED --site all -o json"],
)
@job_selection
@click.option("--by-state", is_flag=True, help="Count the jobs of each state.")
@click.option(
    "-n",
    "--limit",
    type=click.IntRange(min=0),
    help="At most so many, the newest; 0: all. Default: 1000 in a table.",
)
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
    is_table = output is OutputFormat.TABLE
    most = (_FIRST_PAGE if is_table and not verbose else 0) if limit is None else limit
    jobs = list(query.order_by("-id")[:most])[::-1] if most else list(query)
    if not jobs and is_table:
        elsewhere = " `balsam job ls --site all` looks at all sites." if "site_id" in filters else ""
        click.echo(f"No jobs match.{elsewhere}", err=True)
    if verbose and is_table:
        for job in jobs:
            click.echo(f"{job}---")
        return
    display(_rows(jobs), _COLUMNS, output)
    if limit is None and len(jobs) == most:
        _say_what_is_left(query.count(), most)


def _say_what_is_left(count: int, shown: int) -> None:
    if count > shown:
        click.echo(
            f"These are the newest {shown:,} of {count:,} jobs. --limit 0 shows all, --limit N the newest N; "
            "--state, --tag and others select, and --by-state counts.",
            err=True,
        )


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

"""`balsam queue ls`: list the batch jobs of sites."""

from collections.abc import Mapping

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.options import BalsamCommand
from balsam.cli.selection import site_filter, site_option

_COLUMNS = [
    Column(name)
    for name in (
        *("id", "site", "scheduler_id", "state", "filter_tags", "project", "queue", "num_nodes"),
        *("wall_time_min", "job_mode"),
    )
]
_LIVE = ["pending_submission", "queued", "running", "pending_deletion"]


@click.command(
    cls=BalsamCommand,
    help="List batch jobs of sites.",
    examples=["balsam queue ls", "balsam queue ls --history -v"],
    context_settings={"help_option_names": ["--help"]},  # -h is history
)
@click.option("-n", "--num", type=click.IntRange(min=1), help="The last so many, ended ones too.")
@click.option("-h", "--history", is_flag=True, help="Ended ones, too.")
@click.option("--scheduler_id", "--scheduler-id", "scheduler_id", help="The one with this number.")
@click.option("-v", "--verbose", is_flag=True, help="All fields, with what went wrong.")
@site_option
@output_option
def ls(
    num: int | None, history: bool, scheduler_id: str | None, verbose: bool, site: str, output: OutputFormat
) -> None:
    """List, or show in full."""
    from balsam.api.models import BatchJob, Site

    query = BatchJob.objects.filter(**site_filter(site))
    if scheduler_id:
        query = query.filter(scheduler_id=scheduler_id)
    elif not history and num is None:
        query = query.filter(state=_LIVE)
    found = list(query) if num is None else list(query.order_by("-id")[:num])[::-1]
    if not found and not history and output is OutputFormat.TABLE:
        click.echo("No active batch jobs.  Use --history option to list completed batch jobs.", err=True)
    if verbose and output is OutputFormat.TABLE:
        for batch_job in found:
            click.echo(str(batch_job.display_dict()))
        return
    sites = {known.id: known.name for known in Site.objects.all()}
    rows = [{**b.display_dict(), "site": sites.get(b.site_id, "")} for b in found]
    more = [Column("status_info"), Column("start_time"), Column("end_time")] if verbose else []
    display(rows, [*_COLUMNS, *more], output)
    if output is OutputFormat.TABLE:
        for row in rows:
            if why := _why(row["status_info"]):
                click.echo(f"Batch job {row['id']}: {why}", err=True)


def _why(info: Mapping[str, str]) -> str:
    """Say why a batch job waits or has failed; '' for one that goes its way, or was cancelled."""
    if info.get("end") == "cancelled":
        return ""
    return ": ".join(info[name] for name in ("end", "reason") if name in info) if "reason" in info else ""

"""`balsam queue term`: end a batch job."""

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.selection import site_filter, site_option
from balsam.exceptions import AmbiguousError, NotFoundError


@click.command(cls=BalsamCommand, help="End a batch job.", examples=["balsam queue term 6777"])
@click.argument("scheduler_id")
@site_option
def term(scheduler_id: str, site: str) -> None:
    """Mark the batch job for deletion; the agent of its site has it cancelled."""
    from balsam.api.models import BatchJob

    live = ["pending_submission", "queued", "running"]
    query = BatchJob.objects.filter(state=live, **site_filter(site))
    found = list(query.filter(scheduler_id=scheduler_id))
    if not found and scheduler_id.isdecimal():  # one that was not submitted yet has an id only
        found = [batch_job for batch_job in query.filter(id=int(scheduler_id)) if not batch_job.scheduler_id]
    if not found:
        raise NotFoundError(f"No live batch job has the number {scheduler_id}. `balsam queue ls` lists them.")
    if len(found) > 1:
        raise AmbiguousError(f"Several sites have a batch job {scheduler_id}. Say which: --site NAME.")
    found[0].state = "pending_deletion"
    found[0].save()
    click.echo("Marked BatchJob for deletion")

"""`balsam queue term`: end a batch job."""

from typing import TYPE_CHECKING, Any

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.selection import site_filter, site_option
from balsam.cli.site.places import is_active
from balsam.exceptions import AmbiguousError, NotFoundError, RefusedError

if TYPE_CHECKING:
    from balsam.api.models import BatchJob

_LIVE = ("pending_submission", "queued", "running", "pending_deletion")


@click.command(
    cls=BalsamCommand,
    help="End a batch job.",
    examples=["balsam queue term 6777", "balsam queue term 12 --site theta"],
)
@click.argument("number")
@site_option
def term(number: str, site: str) -> None:
    """Mark the batch job for deletion; the agent of its site has it cancelled."""
    from balsam.api.models import Site

    batch_job = _one_batch_job(number, site)
    was_submitted = batch_job.state != "pending_submission"
    batch_job.state = "pending_deletion"
    batch_job.save()
    click.echo("Marked BatchJob for deletion")
    at = Site.objects.get(id=batch_job.site_id)
    if was_submitted and not is_active(at):
        click.echo(
            f"Warning: the site {at.name} has no agent that could have it cancelled. "
            f"`cd {at.path} && balsam site start` starts it.",
            err=True,
        )


def _one_batch_job(number: str, site: str) -> "BatchJob":
    """Find a batch job by its number at the scheduler, else by its id here; raises BalsamError."""
    from balsam.api.models import BatchJob

    query = BatchJob.objects.filter(**(site_filter(site) if site else {}))
    by_id: list[dict[str, Any]] = [{"id": int(number)}] if number.isdecimal() and len(number) < 19 else []
    found: list[BatchJob] = []
    for filters in [{"scheduler_id": number}, *by_id]:
        same = list(query.filter(**filters))
        found = [one for one in same if one.state in _LIVE] or found or same
        if found and found[0].state in _LIVE:
            break
    if not found:
        raise NotFoundError(f"No batch job has the number {number}. `balsam queue ls --site all` lists them.")
    if found[0].state not in _LIVE:
        raise RefusedError(f"BatchJob is not queued or running: it is {found[0].state}.")
    if len(found) > 1:
        shown = ", ".join(f"{one.id} at site {one.site_id}" for one in found)
        raise AmbiguousError(f"Several batch jobs have the number {number}: {shown}. Say which: --site NAME.")
    return found[0]

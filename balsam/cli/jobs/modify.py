"""`balsam job modify`: change the state, resources, parameters or tags of jobs."""

from typing import TYPE_CHECKING, Any

import click

from balsam.cli.jobs.changing import JobChange, change_options
from balsam.cli.jobs.preview import jobs_text, show_jobs, tell_refused
from balsam.cli.jobs.selecting import job_selection, names_jobs, require_jobs, selection_in
from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import confirm
from balsam.exceptions import UsageError

if TYPE_CHECKING:
    from balsam.api.models import Job


@click.command(
    cls=BalsamCommand,
    help="Change jobs.",
    examples=[
        "balsam job modify --id 7 --set-state RESTART_READY",
        "balsam job modify --tag workflow=hello --state FAILED --num-nodes 2 --set-state RESTART_READY --yes",
        "balsam job modify --app Hello --param name=world --set-tag round=2 --dry-run",
    ],
)
@job_selection
@click.option("--all", "is_all", is_flag=True, help="All jobs of the site.")
@change_options
@click.option("--dry-run", is_flag=True, help="Show what would be changed, and do nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def modify(is_all: bool, dry_run: bool, yes: bool, **given: Any) -> None:
    """Show which jobs it concerns, ask where they were not named, and change them."""
    selection = selection_in(given)
    change = JobChange(**given)
    if (
        not change and len(selection["state"]) == 1
    ):  # as it was before there was more to change than the state
        given["set_state"], selection["state"] = selection["state"][0], ()
        change = JobChange(**given)
    if not change:
        raise UsageError(
            "Say what to change: --set-state STATE, --num-nodes N, --param KEY=VALUE, and so on."
        )
    change.check()
    jobs = require_jobs(selection, is_all=is_all)
    is_sure = yes or names_jobs(selection)
    if dry_run or not is_sure:
        show_jobs(jobs)
        click.echo(f"Change: {change}")
    if dry_run or not (is_sure or confirm(f"Change {jobs_text(len(jobs))}?")):
        click.echo("Nothing was changed.")
        return
    _apply(change, jobs)


def _apply(change: JobChange, jobs: "list[Job]") -> None:
    """Change jobs, and tell what came of it; raises RefusedError when some stayed as they were."""
    from balsam.api.models import Job

    running = sum(job.state == "RUNNING" for job in jobs)
    for job in jobs:
        change.apply(job)
    reply = Job.objects.try_update(jobs)
    if running and not change.has_state:
        click.echo(f"{running} of them run: what was changed holds from the next start.", err=True)
    same = len(jobs) - len(reply.changed) - len(reply.refused)
    done = f"Changed {len(reply.changed)} of {len(jobs)}" + (f"; {same} so already" if same else "")
    tell_refused(done, reply.refused)
    click.echo(f"{done}.")

"""`balsam job`: add a job."""

from typing import Any

import click

from balsam.cli.job_options import job_fields, job_options
from balsam.cli.options import words_option
from balsam.cli.prompts import confirm
from balsam.cli.verbs import VerbedCommand


@click.command(
    cls=VerbedCommand,
    verbs={
        "create": ("balsam.cli.jobs.create:create", "Add a job at a site."),
        "ls": ("balsam.cli.jobs.ls:ls", "List jobs of sites."),
        "explain": ("balsam.cli.jobs.explain:explain", "Say why jobs are where they are."),
        "history": ("balsam.cli.jobs.history:history", "List what jobs went through."),
        "logs": ("balsam.cli.jobs.logs:logs", "Show what jobs have printed."),
        "wait": ("balsam.cli.jobs.wait:wait", "Wait until jobs have ended."),
        "modify": ("balsam.cli.jobs.modify:modify", "Change jobs."),
        "archive": ("balsam.cli.jobs.archive:archive", "Pack directories of jobs that have ended."),
        "rm": ("balsam.cli.jobs.rm:rm", "Delete jobs."),
    },
    help="Add a job to the database.",
    examples=[
        "balsam job --name x1 --workflow test --application square --args 3 --yes",
        "balsam job --name sim --workflow md --app sim --num-nodes 2 --ranks-per-node 16 --env A=1 --env B=2",
    ],
)
@job_options
@click.option(
    "--wall-time-minutes", type=int, default=1, show_default=True, help="How long it is expected to run."
)
@click.option("--num-nodes", type=int, default=1, show_default=True, help="Nodes it needs.")
@click.option(
    "--coschedule-num-nodes", type=int, default=0, show_default=True, help="Kept for scripts; has no effect."
)
@click.option(
    "--node-packing-count",
    type=int,
    default=1,
    show_default=True,
    help="How many such jobs may share a node.",
)
@click.option("--ranks-per-node", type=int, default=1, show_default=True, help="MPI ranks on each node.")
@click.option("--gpus-per-rank", type=float, default=0, help="GPUs of each rank; a fraction shares one.")
@click.option("--memory-mb-per-node", type=int, default=0, help="Memory it needs on each node; 0: any.")
@click.option("--priority", type=int, default=0, help="Higher runs first.")
@words_option("--mpi-flags", help="Flags for the MPI launcher, before the executable.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def job(yes: bool, **options: Any) -> None:
    """Show the job, ask, and add it."""
    from balsam.core.defining import count_jobs, new_job

    added = new_job(job_fields(options))
    click.echo(added)
    if not yes:
        click.echo(f"Workflow {added.workflow!r} has {count_jobs(added.workflow)} jobs so far.")
        if not confirm("Add this job to the database?"):
            click.echo("Add job aborted.")
            return
    added.save()
    click.echo(f"Added job {added.cute_id}.", err=True)

"""`balsam kill`, also called `killjob`: stop a job for good."""

from typing import Any

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import confirm


def kill_job(job_id: str | None, id_option: str | None, recursive: bool, yes: bool) -> None:
    """Say what would be killed, ask, and kill it."""
    from balsam.core import killing

    if (job_id is None) == (id_option is None):
        raise click.UsageError("Give the id of one job.")
    job = killing.find_by_prefix(job_id or id_option or "")
    ids = killing.jobs_to_kill(job, recursive=recursive)
    more = f" and what is below it ({len(ids)} jobs in all)" if recursive else ""
    if not confirm(f"Really kill job {job.cute_id}{more}?", assume_yes=yes):
        click.echo("Aborted; nothing was killed.")
        return
    killed = killing.kill_jobs(ids)
    click.echo(f"Killed {len(killed)} {'job' if len(killed) == 1 else 'jobs'}.")


def kill_command(name: str, sentence: str) -> click.Command:
    """Make the command under one of its names."""
    command: Any = kill_job
    command = click.option("--yes", is_flag=True, help="Do not ask.")(command)
    command = click.option("--recursive", is_flag=True, help="Kill all jobs below it too.")(command)
    command = click.option("--id", "id_option", metavar="ID", help="The id, or how it starts.")(command)
    command = click.argument("job_id", metavar="[ID]", required=False)(command)
    made: click.Command = click.command(
        name,
        cls=BalsamCommand,
        help=sentence,
        examples=[f"balsam {name} 3f2a", f"balsam {name} --id 3f2a --rec"],
    )(command)
    return made


kill = kill_command("kill", "Stop a job for good.")
killjob = kill_command("killjob", "Stop a job for good (same as kill).")

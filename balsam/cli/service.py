"""`balsam service`: submit launches by the queue policy, and run hooks and staging, in the background."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from balsam.cli.display import Column, OutputFormat, display, output_option, table_lines
from balsam.cli.options import BalsamCommand

_JSON_COLUMNS = [
    Column(name)
    for name in (
        *("db_path", "state", "host", "pid", "since", "log", "scheduler", "scheduler_problem"),
        *("policy", "policy_problem", "waits_for", "unfit", "queues", "loops"),
    )
]
_QUEUE_COLUMNS = [Column(name) for name in ("queue", "submit_jobs", "live", "max_queued", "note")]
_LOOP_COLUMNS = [
    Column(name) for name in ("name", "cycles", "last_completed", "failures", "last_failed", "last_error")
]


@click.command(
    cls=BalsamCommand,
    help="Submit launches, and run hooks, in the background.",
    examples=["balsam service", "balsam service --status -o json", "balsam service --stop"],
)
@click.option("--stop", is_flag=True, help="Stop the service of the active database.")
@click.option("--status", is_flag=True, help="Show where it runs, how it goes, and what it waits for.")
@click.option("--foreground", is_flag=True, help="Run it in this terminal; Ctrl-C ends it.")
@output_option
def service(stop: bool, status: bool, foreground: bool, output: OutputFormat) -> None:
    """Start the service, or do the one thing asked for."""
    if stop + status + foreground > 1:
        raise click.UsageError("Give at most one of --stop, --status and --foreground.")
    from balsam.core.active import active_db_path
    from balsam.core.premises import check_files_are_here

    db_path = active_db_path()
    if not (stop or status):
        check_files_are_here()
    if status:
        from balsam.agent.control import service_row
        from balsam.client import Client

        show_status(service_row(Client(), db_path), output)
    elif stop:
        from balsam.agent.control import stop_service
        from balsam.client import Client

        click.echo(stop_service(Client(), db_path / "log"))
    elif foreground:
        from balsam.agent.post import DatabasePost
        from balsam.agent.service import run_service
        from balsam.agent.stopping import Stopping
        from balsam.client import Client

        stopping = Stopping()
        with stopping.on_signals(hangup_ends=True):
            run_service(
                DatabasePost(db_path),
                Client(),
                stopping,
                lambda log_path: say_started(os.getpid(), str(log_path)),
            )
    else:
        from balsam.agent.control import check_is_free
        from balsam.agent.daemon import start_daemon
        from balsam.client import Client

        check_is_free(Client(), db_path)  # a database that cannot be used is told of best from here
        started = start_daemon(db_path)
        say_started(started.pid, started.log)


def say_started(pid: int, log: str) -> None:
    """Print what a user needs to know of a service that is up."""
    click.echo(f"Starting Balsam service [{pid}]")
    click.echo(f"It logs to {log}; `balsam service --status` shows how it goes.")


def show_status(row: Mapping[str, Any], output: OutputFormat) -> None:
    """Print the status: for people in three parts, for programs as one row."""
    if output is not OutputFormat.TABLE:
        display([row], _JSON_COLUMNS, output)
        return
    since: datetime = row["since"]
    click.echo(
        f"service    {row['state']} on host {row['host']}, pid {row['pid']}, since {since.astimezone():%F %T}"
    )
    for name in ("log", "scheduler", "policy"):
        click.echo(f"{name:<10} {row[name]}")
        if problem := row.get(f"{name}_problem"):
            click.echo(f"{'':<10} {problem}")
    click.echo(f"{'waits for':<10} {row['waits_for']}")
    for line in row["unfit"]:
        click.echo(f"{'unfit':<10} {line}")
    for rows, columns in ((row["queues"], _QUEUE_COLUMNS), (row["loops"], _LOOP_COLUMNS)):
        click.echo()
        for line in table_lines(rows, columns):
            click.echo(line)

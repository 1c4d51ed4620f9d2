"""`balsam ls`: list jobs, applications, workflows or queued launches."""

import os
from typing import Any

import click

from balsam.cli import ls_jobs, ls_tables
from balsam.cli.display import OutputFormat, output_option
from balsam.cli.ls_request import DEFAULT_LIMIT, FIELDS_VARIABLE, LIMIT_VARIABLE, MAX_LIMIT, Request
from balsam.cli.options import BalsamCommand

_LISTINGS = {
    "jobs": ls_jobs.show_jobs,
    "apps": ls_tables.show_apps,
    "wf": ls_tables.show_workflows,
    "queues": ls_tables.show_launches,
}


@click.command(
    cls=BalsamCommand,
    help="List jobs, applications, workflows or queued launches.",
    examples=[
        "balsam ls",
        "balsam ls --state FAILED --history",
        "balsam ls --wf test --by-states",
        "BALSAM_LS_FIELDS=num_nodes:data balsam ls --name sim",
        "balsam ls apps --verbose",
        "balsam ls -o json --limit 20",
    ],
    epilog=f"{FIELDS_VARIABLE} adds columns, separated by colons; {LIMIT_VARIABLE} is the limit "
    f"(default: {DEFAULT_LIMIT}).",
)
@click.argument("what", metavar="[jobs|apps|wf|queues]", type=click.Choice(list(_LISTINGS)), default="jobs")
@click.option("--name", default="", help="Names that contain this, in either case.")
@click.option("--id", "row_id", metavar="ID", default="", help="Ids that contain this.")
@click.option("--state", default="", help="Jobs in this state.")
@click.option("--wf", "workflow", default="", help="Workflows that contain this, in either case.")
@click.option(
    "--history", is_flag=True, help="The history of each job; also queued launches that have ended."
)
@click.option("--by-states", is_flag=True, help="The number of jobs in each state.")
@click.option("--verbose", is_flag=True, help="All there is to know of each.")
@click.option("--tree", is_flag=True, help="Jobs below the jobs they depend on.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), help="Show no more than this many.")
@output_option
def ls(what: str, limit: int | None, output: OutputFormat, **flags: Any) -> None:
    """Show the listing asked for."""
    request = Request(limit=limit or environment_limit(), output=output, extra_fields=extra_fields(), **flags)
    _LISTINGS[what](request)


def environment_limit() -> int:
    """Return the limit the environment sets; what is no positive number counts as not set."""
    text = os.environ.get(LIMIT_VARIABLE, "").strip()
    return min(int(text), MAX_LIMIT) if text.isdecimal() and int(text) > 0 else DEFAULT_LIMIT


def extra_fields() -> tuple[str, ...]:
    """Return the columns the environment adds, each once."""
    names = os.environ.get(FIELDS_VARIABLE, "").split(":")
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))

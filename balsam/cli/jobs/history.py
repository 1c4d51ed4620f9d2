"""`balsam job history`: list what jobs went through."""

from datetime import UTC, datetime
from typing import Any

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.jobs.selecting import job_selection, require_jobs
from balsam.cli.options import BalsamCommand


def _local(when: datetime) -> str:
    return f"{when.replace(tzinfo=UTC).astimezone():%F %T}"


_COLUMNS = [
    Column("id"),
    Column("job_id", title="job"),
    Column("timestamp", _local),
    Column("from_state"),
    Column("to_state"),
    Column("message"),
    Column("data"),
]
#: In a table, a time says more than a number, and what programs read is left out.
_SHOWN = [column for column in _COLUMNS if column.name not in ("id", "data")]


@click.command(
    cls=BalsamCommand,
    help="List what jobs went through, oldest first.",
    examples=["balsam job history 7", "balsam job history --tag workflow=hello -o jsonl"],
)
@job_selection
@output_option
def history(output: OutputFormat, **selection: Any) -> None:
    """List the events of the jobs."""
    from balsam.api.models import EventLog

    numbers = [job.id for job in require_jobs(selection)]
    rows = [
        {**event.display_dict(), "timestamp": event.timestamp, "message": _message(event.data)}
        for number in numbers
        for event in EventLog.objects.filter(job_id=number).order_by("id")
    ]
    display(rows, _SHOWN if output is OutputFormat.TABLE else _COLUMNS, output)


def _message(data: dict[str, Any]) -> str:
    return str(data.get("message") or data.get("error") or "")

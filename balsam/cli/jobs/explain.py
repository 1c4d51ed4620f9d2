"""`balsam job explain`: say why jobs are where they are."""

import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.jobs.selecting import job_selection, require_jobs, some_jobs
from balsam.cli.options import BalsamCommand

if TYPE_CHECKING:
    from balsam.schemas.explanations import Explanation

_COLUMNS = [
    Column(name)
    for name in (
        *("id", "job_id", "name", "site", "state", "reason", "needs_you", "text", "details", "next_step"),
        *("output", "host"),
    )
]
#: Numbers of jobs in a headline.
_SHOWN = 8
#: In the place of blanks where a line may not end.
_GLUE = "\0"


@click.command(
    cls=BalsamCommand,
    help="Say why jobs are where they are, and what comes next.",
    examples=[
        "balsam job explain 7",
        "balsam job explain 3f2a",
        "balsam job explain --tag workflow=hello --state PREPROCESSED",
    ],
)
@job_selection
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many."
)
@output_option
def explain(limit: int, output: OutputFormat, **selection: Any) -> None:
    """Explain jobs; those of which the same is to be said together."""
    from dataclasses import asdict

    from balsam.api.connection import client

    jobs = require_jobs(selection, limit)
    found = [client().explain_job(job.id) for job in jobs]
    if output is not OutputFormat.TABLE:
        display([asdict(one) for one in found], _COLUMNS, output)
    else:
        click.echo("\n\n".join(_paragraph(alike) for alike in _groups(found)))
    if len(jobs) == limit and (left := some_jobs(selection).count() - limit) > 0:
        click.echo(f"{left} more; --limit N explains more of them.", err=True)


def _groups(found: "Sequence[Explanation]") -> "list[list[Explanation]]":
    """Put together what differs in the number of the job alone."""
    groups: dict[tuple[Any, ...], list[Explanation]] = {}
    for one in found:
        groups.setdefault((one.site, one.state, one.reason, one.text, one.details), []).append(one)
    return list(groups.values())


def _paragraph(alike: "Sequence[Explanation]") -> str:
    first = alike[0]
    if len(alike) == 1:
        head = f"Job {first.id} ({first.name}) at {first.site} is {first.state}."
    else:
        numbers = ", ".join(str(one.id) for one in alike[:_SHOWN]) + ", …" * (len(alike) > _SHOWN)
        head = f"{len(alike)} jobs at {first.site} are {first.state}: {numbers}."
    lines = [head, *_wrapped(first.text, "  ")]
    for detail in first.details:
        lines += [f"    {detail}"] if detail.startswith("|") else _wrapped(detail, "  - ", "    ")
    return "\n".join((*lines, *_wrapped(f"Next: {first.next_step}", "  ")))


def _wrapped(text: str, indent: str, then: str | None = None) -> list[str]:
    """Wrap a text; a command in it stays on one line, to be copied."""
    lines = textwrap.wrap(
        re.sub("`.*?`", lambda command: command[0].replace(" ", _GLUE), text),
        100,
        initial_indent=indent,
        subsequent_indent=indent if then is None else then,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_GLUE, " ") for line in lines]

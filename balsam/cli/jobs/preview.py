"""What a change of many jobs would do, before it is done, and what came of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from balsam.exceptions import RefusedError

if TYPE_CHECKING:
    from balsam.api.models import Job

__all__ = ["jobs_text", "show_jobs", "tell_refused"]

#: Jobs, or reasons, shown of many.
_SAMPLE = 5


def jobs_text(count: int) -> str:
    """Write a number of jobs."""
    return "1 job" if count == 1 else f"{count} jobs"


def show_jobs(jobs: "Sequence[Job]") -> None:
    """Show how many there are, by state, and some of them."""
    states = Counter(job.state for job in jobs)
    click.echo(f"{jobs_text(len(jobs))}: {', '.join(f'{count} {state}' for state, count in states.items())}")
    for job in jobs[:_SAMPLE]:
        tags = ", ".join(f"{key}={value}" for key, value in job.tags.items())
        click.echo(f"  {job.id}  {job.workdir or '(named by the database)'}  {job.state}  {tags}".rstrip())
    if len(jobs) > _SAMPLE:
        click.echo(f"  … and {len(jobs) - _SAMPLE} more")


def tell_refused(done: str, refused: Mapping[int, str]) -> None:
    """Raise RefusedError that names the jobs which stayed as they were, and why."""
    if not refused:
        return
    lines = [f"  {number}: {reason}" for number, reason in list(refused.items())[:_SAMPLE]]
    more = [f"  … and {len(refused) - _SAMPLE} more"] if len(refused) > _SAMPLE else []
    raise RefusedError("\n".join((f"{done}; {len(refused)} refused:", *lines, *more)))

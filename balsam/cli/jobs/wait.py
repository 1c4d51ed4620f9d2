"""`balsam job wait`: wait until jobs have ended."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import click

from balsam.cli.jobs.selecting import filters_of, job_selection, portions
from balsam.cli.options import BalsamCommand
from balsam.exceptions import NotFoundError, WaitTimeout

#: States are counted at least so often, besides when there is word of ends.
_LOOK_SEC = 5.0
_EXIT_FAILED = 1
_SHOWN = 5


@click.command(
    cls=BalsamCommand,
    help="Wait until jobs have ended.",
    examples=[
        "balsam job wait 7 8 9",
        "balsam job wait --tag workflow=hello --timeout 3600",
        "balsam job wait --site theta --for any",
    ],
)
@job_selection
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SEC", help="Give up after this; exit code 8."
)
@click.option(
    "--for", "how_many", type=click.Choice(["any", "all"]), default="all", show_default=True,
    help="Wait for the first, or for all.",
)  # fmt: skip
def wait(timeout: float | None, how_many: str, **selection: Any) -> None:
    """Exit with 0 when all have finished, with 1 when some of those that have ended failed."""
    from balsam.api.waiting import wait_for

    filters = _fixed(filters_of(**selection))
    line = _Line(time.monotonic)

    def is_over() -> bool:
        counts = _counts(filters)
        line.show(counts)
        return not counts.open or (how_many == "any" and counts.ended > 0)

    total = _counts(filters).total
    if not total or len(set(filters.get("id", ()))) > total:
        raise NotFoundError(
            "No job matches, or not all of them are there. `balsam job ls --site all` lists yours."
        )
    try:
        in_time = wait_for(is_over, timeout, _LOOK_SEC)
    finally:
        line.close()
    _tell(filters, in_time, timeout)


class _Counts:
    """How many jobs have ended how."""

    def __init__(self, by_state: Mapping[str, int]) -> None:
        self.finished = by_state.get("JOB_FINISHED", 0)
        self.failed = by_state.get("FAILED", 0) + by_state.get("USER_KILLED", 0)
        self.running = by_state.get("RUNNING", 0)
        self.total = sum(by_state.values())

    @property
    def ended(self) -> int:
        return self.finished + self.failed

    @property
    def open(self) -> int:
        return self.total - self.ended

    def __str__(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        running = f", {self.running} running" if self.running else ""
        return f"{self.finished} of {self.total} finished{failed}{running}"


def _counts(filters: dict[str, Any]) -> _Counts:
    from balsam.api.connection import client
    from balsam.schemas.resources import Query

    found: Counter[str] = Counter()
    for part in _parts(filters):
        found.update(client().count_resources("job", Query(filters=part), "state"))
    return _Counts(found)


def _parts(filters: dict[str, Any]) -> list[dict[str, Any]]:
    """Divide filters with many numbers."""
    numbers = filters.get("id")
    return [{**filters, "id": part} for part in portions(numbers)] if numbers else [filters]


def _fixed(filters: dict[str, Any]) -> dict[str, Any]:
    """Return filters that hold for the same jobs whatever becomes of them."""
    from balsam.api.models import Job

    if not filters.keys() & {"state", "state__ne"}:
        return filters
    found = [job.id for job in Job.objects.filter(**filters)]
    return {"id": found or [0]}


class _Line:
    """One line on the terminal that tells how it goes; nothing where nobody watches."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._ended_before: int | None = None
        self._is_watched = sys.stderr.isatty()

    def show(self, counts: _Counts) -> None:
        """Write the line anew."""
        if self._ended_before is None:
            self._ended_before = counts.ended
        if not self._is_watched:
            return
        seconds = self._clock() - self._began
        done = counts.ended - self._ended_before
        text = str(counts)
        if done and seconds > 1:
            text += f"; {done / seconds:.1f} a second, about {_left(counts.open * seconds / done)} left"
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)

    def close(self) -> None:
        """End the line."""
        if self._is_watched and self._ended_before is not None:
            click.echo(err=True)


def _left(seconds: float) -> str:
    from balsam.lib.durations import human_duration

    return human_duration(max(seconds, 10))


def _tell(filters: dict[str, Any], in_time: bool, timeout: float | None) -> None:
    """Say what became of the jobs, by the exit code and, where something failed, in words."""
    from balsam.api.models import Job

    counts = _counts(filters)
    if counts.failed:
        failed = {"state": ["FAILED", "USER_KILLED"]}
        found = [
            str(job.id)
            for part in _parts(filters)
            for job in Job.objects.filter(**{**part, **failed}).order_by("id")[:_SHOWN]
        ]
        numbers = found[:_SHOWN]
        more = ", …" if counts.failed > _SHOWN else ""
        click.echo(
            f"{counts.failed} of {counts.total} jobs failed: {', '.join(numbers)}{more}. "
            f"`balsam job explain {' '.join(numbers)}` says why.",
            err=True,
        )
    if not in_time:
        raise WaitTimeout(
            f"{counts.open} of {counts.total} jobs have not ended within {timeout:g} s. `balsam job explain` "
            "says what each waits for."
        )
    if counts.failed:
        raise click.exceptions.Exit(_EXIT_FAILED)

"""`balsam job logs`: show what jobs have printed."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from balsam.cli.jobs.selecting import job_selection, require_jobs
from balsam.cli.options import BalsamCommand
from balsam.exceptions import NotFoundError

if TYPE_CHECKING:
    from balsam.lib.tailing import Tail
    from balsam.schemas.explanations import Explanation

#: Output is looked at so often while a job runs.
_LOOK_SEC = 0.3
#: The ends of jobs are looked for at least so often, besides when there is word of some.
_CYCLES = 10


@click.command(
    cls=BalsamCommand,
    help="Show what jobs have printed.",
    examples=["balsam job logs 7", "balsam job logs 7 -f", "balsam job logs 7 --tail 20 --all-attempts"],
)
@job_selection
@click.option("-f", "--follow", is_flag=True, help="Go on until the jobs have ended.")
@click.option("--tail", "last_lines", type=click.IntRange(min=0), help="Only the last lines of each file.")
@click.option("--all-attempts", is_flag=True, help="Earlier starts of the jobs, too.")
def logs(follow: bool, last_lines: int | None, all_attempts: bool, **selection: Any) -> None:
    """Print files as they are, with their names where there are several."""
    from balsam.api.connection import client
    from balsam.lib.tailing import Tail

    found = [client().explain_job(job.id) for job in require_jobs(selection)]
    for one in found:
        _check_is_here(one)
    paths = [path for one in found for path in _files(one, all_attempts=all_attempts)]
    printer = _Printer(show_names=len(paths) > 1)
    tails = [Tail(path, last_lines) for path in paths]
    printer.print_new(tails)
    if follow:
        _follow(tails, printer, [one.id for one in found])
    elif not printer.has_printed:
        _tell_of_nothing(found)


class _Printer:
    """Writes what is new in files to stdout, byte for byte, and says where another goes on."""

    def __init__(self, *, show_names: bool) -> None:
        self._show_names = show_names
        self._shown: Path | None = None
        self.has_printed = False

    def print_new(self, tails: "Sequence[Tail]") -> bool:
        """Print all that is new; say whether something was."""
        is_new = False
        for tail in tails:
            while block := tail.read_new():
                if self._show_names and tail.path != self._shown:
                    click.echo(f"==> {tail.path} <==")
                self._shown, is_new, self.has_printed = tail.path, True, True
                sys.stdout.flush()
                sys.stdout.buffer.write(block)
        sys.stdout.flush()
        return is_new


def _check_is_here(one: "Explanation") -> None:
    """Raise NotFoundError where the files of the job are on another host."""
    data = Path(one.output).parent
    if any(place.is_dir() for place in (data, *_site_above(data))):
        return
    seen = f" It was last at work on {one.host}: `ssh {one.host} cat {one.output}`." if one.host else ""
    raise NotFoundError(
        f"The output of job {one.id} is not on this host: it is {one.output} at the site {one.site}.{seen}"
    )


def _site_above(data: Path) -> list[Path]:
    """Return the data directory of a site, which is there before its jobs are."""
    return [place for place in data.parents if place.name == "data"]


def _files(one: "Explanation", *, all_attempts: bool) -> list[Path]:
    """Return the output of the last start, those of earlier ones before it."""
    current = Path(one.output)
    if not all_attempts:
        return [current]
    start = current.name + "."
    names = [path for path in _listed(current.parent) if path.name.startswith(start)]
    earlier = [path for path in names if path.name.removeprefix(start).isdecimal()]
    return [*sorted(earlier, key=lambda path: int(path.name.removeprefix(start))), current]


def _listed(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []


def _tell_of_nothing(found: "Sequence[Explanation]") -> None:
    for one in found:
        if not Path(one.output).exists():
            click.echo(
                f"Job {one.id} has no output: it is {one.state}. `balsam job explain {one.id}` says why.",
                err=True,
            )


def _follow(tails: "Sequence[Tail]", printer: _Printer, numbers: list[int]) -> None:
    """Print what comes until all of the jobs have ended, or are gone."""
    from balsam.api.connection import client

    listener = client().listen()
    try:
        cycle = 0
        is_over = _have_ended(numbers)
        while not is_over:
            topics = listener.wait(_LOOK_SEC)
            cycle += 1
            is_over = (bool(topics) or cycle % _CYCLES == 0) and _have_ended(numbers)
            printer.print_new(tails)
        printer.print_new(tails)
    finally:
        listener.close()


def _have_ended(numbers: list[int]) -> bool:
    from balsam.api.models import Job
    from balsam.states import END_STATES

    return not Job.objects.filter(id=numbers, state__ne=list(END_STATES)).count()

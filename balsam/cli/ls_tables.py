"""The listings of applications, workflows and queued launches."""

import textwrap
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from balsam.cli.display import Column, display
from balsam.cli.ls_jobs import show_table, show_tree
from balsam.cli.ls_request import Request, basenames, show_left_out, show_nothing_found
from balsam.exceptions import ConfigError, RefusedError

if TYPE_CHECKING:
    from balsam.core.models import QueuedLaunch

_RULE = "-" * 9


def show_apps(request: Request) -> None:
    """Show applications: a line each, or with --verbose all there is."""
    from balsam.core.listings import APP_FIELDS, count_text, list_apps, row_of

    apps, left_out = list_apps(request.name, request.row_id, request.limit)
    if not apps and show_nothing_found(request, "No apps found matching the query."):
        return
    if request.verbose and request.is_for_people:
        for app in apps:
            click.echo(f"{app}\n")
    else:
        names = (
            ("id", *APP_FIELDS[1:], "preprocess", "envscript", "postprocess")
            if request.verbose
            else APP_FIELDS
        )
        columns = [Column(name, basenames if name == "executable" else str) for name in names]
        display([row_of(app, names) for app in apps], columns, request.output)
    show_left_out(request, count_text(left_out), "apps")


def show_workflows(request: Request) -> None:
    """Show the distinct workflows; with --wf, --tree or --verbose also the jobs of each."""
    from balsam.core.listings import list_workflows

    rows = list_workflows(request.workflow or request.name)
    if not request.is_for_people:
        display(rows, [Column("workflow"), Column("jobs")], request.output)
        return
    if not rows:
        click.echo("No workflows: there are no jobs.")
        return
    click.echo(f"Workflows\n{_RULE}")
    for row in rows:
        click.echo(row["workflow"])
        if request.workflow or request.tree or request.verbose:
            show_jobs_of(str(row["workflow"]), request)


def show_jobs_of(workflow: str, request: Request) -> None:
    """Show the jobs of exactly one workflow."""
    inner = replace(request, workflow=workflow, is_exact=True)
    (show_tree if request.tree else show_table)(inner)
    click.echo("")


def show_launches(request: Request) -> None:
    """Show the batch jobs that have not ended, as the scheduler says now; with --history all there were."""
    from balsam.core.listings import LAUNCH_FIELDS, LAUNCH_LIFE_FIELDS, count_text, list_launches, row_of

    ask_scheduler()
    launches, left_out = list_launches(request.limit, scheduler_id=request.row_id, with_ended=request.history)
    if not launches and show_nothing_found(request, "No queued jobs detected."):
        return
    if request.verbose and request.is_for_people:
        for launch in launches:
            click.echo(f"{launch}\n")
    else:
        names: tuple[str, ...] = LAUNCH_FIELDS
        if not request.is_for_people:
            names += LAUNCH_LIFE_FIELDS
        elif request.history:
            names += ("end", "ended", "reason")
        columns = [Column(name, title=_TITLES.get(name, ""), cell=_CELLS.get(name, str)) for name in names]
        display([row_of(launch, names) for launch in launches], columns, request.output)
        if request.is_for_people and not request.history:
            show_reasons(launches)
    show_left_out(request, count_text(left_out), "launches")


def ask_scheduler() -> None:
    """Bring the batch jobs up to date; where the scheduler cannot be asked, say so."""
    from balsam.batch import open_desk, refresh
    from balsam.core.active import active_db_path
    from balsam.core.premises import check_files_are_here

    try:
        check_files_are_here()  # the scheduler of another machine does not know them
        problem = refresh(open_desk(active_db_path())).problem
    except RefusedError:
        problem = "it is on the machine of the database"
    except ConfigError as error:
        problem = str(error)
    if problem:
        click.echo(f"The scheduler cannot be read, so this is what was known before: {problem}", err=True)


def show_reasons(launches: "list[QueuedLaunch]") -> None:
    """Say below the table why batch jobs wait."""
    for launch in launches:
        if launch.reason:
            click.echo(f"{launch.scheduler_id or f'not submitted ({launch.pk})'}: {in_short(launch.reason)}")


def file_name(path: object) -> str:
    """Return a path without its directories."""
    return str(path).rpartition("/")[2]


def in_short(reason: object) -> str:
    """Return a reason as the cell of a table."""
    return textwrap.shorten(str(reason), 80, placeholder=" …")


def text_or_nothing(value: object) -> str:
    """Return a value as text, '' for none."""
    return "" if value is None else str(value)


def to_the_second(when: datetime | None) -> str:
    """Return a time as people read it, '' for none."""
    return "" if when is None else f"{when:%Y-%m-%d %H:%M:%S}"


_TITLES = {"command": "Command", "from_balsam": "Submitted from Balsam?"}
_CELLS: dict[str, Callable[[Any], str]] = {
    "command": file_name,
    "end": text_or_nothing,
    "ended": to_the_second,
    "reason": in_short,
}

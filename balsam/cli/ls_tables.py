"""The listings of applications, workflows and queued launches."""

from dataclasses import replace

import click

from balsam.cli.display import Column, display
from balsam.cli.ls_jobs import show_table, show_tree
from balsam.cli.ls_request import Request, basenames, show_left_out, show_nothing_found

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
    """Show the batch jobs asked of a scheduler."""
    from balsam.core.listings import LAUNCH_FIELDS, count_text, list_launches, row_of

    launches, left_out = list_launches(request.limit)
    if not launches and show_nothing_found(request, "No queued jobs detected."):
        return
    if request.verbose and request.is_for_people:
        for launch in launches:
            click.echo(f"{launch}\n")
    else:
        columns = [
            Column(name, title=_TITLES.get(name, ""), cell=_CELLS.get(name, str)) for name in LAUNCH_FIELDS
        ]
        display([row_of(launch, LAUNCH_FIELDS) for launch in launches], columns, request.output)
    show_left_out(request, count_text(left_out), "launches")


_TITLES = {"command": "Command", "from_balsam": "Submitted from Balsam?"}
_CELLS = {"command": basenames}

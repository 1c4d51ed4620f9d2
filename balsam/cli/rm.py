"""`balsam rm`: delete jobs or applications from the database."""

from typing import TYPE_CHECKING

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.progress import progress_bar
from balsam.cli.prompts import confirm

if TYPE_CHECKING:
    from balsam.core.removal import Preview, Selector


@click.command(
    cls=BalsamCommand,
    help="Delete jobs or applications from the database.",
    examples=[
        "balsam rm jobs --id 3f2a",
        "balsam rm jobs --all --wf-filter test",
        "balsam rm apps --name square --force",
    ],
    epilog="Working directories stay. Jobs that wait for a deleted job fail by their on_parent_failure.",
)
@click.argument("kind", metavar="jobs|apps", type=click.Choice(["jobs", "job", "apps", "app"]))
@click.option("--name", help="Those whose name contains this, in either case.")
@click.option("--id", "row_id", metavar="ID", help="The one whose id contains this.")
@click.option("--all", "is_all", is_flag=True, help="All of them.")
@click.option("--wf-filter", "workflow", help="Of these, the jobs of exactly this workflow.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Do not ask, and delete running jobs too.")
def rm(
    kind: str,
    name: str | None,
    row_id: str | None,
    is_all: bool,
    workflow: str | None,
    yes: bool,
    force: bool,
) -> None:
    """Show what would go, ask, and delete it."""
    from balsam.core.removal import Selector

    if sum([name is not None, row_id is not None, is_all]) != 1:
        raise click.UsageError("Give exactly one of --name, --id and --all.")
    selector = Selector(name=name, row_id=row_id, is_all=is_all, workflow=workflow)
    if kind.startswith("job"):
        remove_jobs(selector, assume_yes=yes or force, even_running=force)
    else:
        remove_apps(selector, assume_yes=yes or force)


def remove_jobs(selector: "Selector", *, assume_yes: bool, even_running: bool) -> None:
    """Delete the jobs if the user agrees."""
    from balsam.core import removal

    found = removal.select_jobs(selector)
    preview = removal.preview_jobs(found)
    if is_agreed(preview, "job", "{} of them running", assume_yes=assume_yes):
        with progress_bar("Deleting jobs", preview.count) as bar:
            removal.delete_jobs(found, even_running=even_running, on_progress=bar.advance)
        click.echo("Deleted.")


def remove_apps(selector: "Selector", *, assume_yes: bool) -> None:
    """Delete the applications if the user agrees."""
    from balsam.core import removal

    found = removal.select_apps(selector)
    preview = removal.preview_apps(found)
    if is_agreed(preview, "app", "used by {} unfinished jobs", assume_yes=assume_yes):
        removal.delete_apps(found)
        click.echo("Deleted.")


def is_agreed(preview: "Preview", noun: str, use: str, *, assume_yes: bool) -> bool:
    """Say what would go, ask, and return whether it is to go; ``use`` words the count of what is in use."""
    if not preview.count:
        click.echo(f"No {noun}s found matching the query.")
        return False
    what = f"{preview.count} {noun if preview.count == 1 else noun + 's'}"
    in_use = f" ({use.format(preview.in_use)})" if preview.in_use else ""
    if confirm(f"PERMANENTLY remove {what}{in_use}: {preview.names}?", assume_yes=assume_yes):
        return True
    click.echo("Aborted; nothing was deleted.")
    return False

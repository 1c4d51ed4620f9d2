"""`balsam site mv|rename|rm`: change or delete a site."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import confirm
from balsam.cli.selection import one_site
from balsam.cli.site.places import client_here, site_at
from balsam.exceptions import RefusedError, UsageError

if TYPE_CHECKING:
    from balsam.api.models import Site

_LIVE = ["queued", "running", "pending_deletion"]


@click.command(cls=BalsamCommand, help="Move the directory of a site.", examples=["balsam site mv old new"])
@click.argument("source", metavar="SRC", type=click.Path(path_type=Path))
@click.argument("destination", metavar="DEST", type=click.Path(path_type=Path))
def mv(source: Path, destination: Path) -> None:
    """Move the directory, and tell the record; refuse while something runs there."""
    from balsam.agent.site_status import push
    from balsam.api.models import BatchJob, Site

    target = Path(os.path.abspath(destination.expanduser()))
    if target.exists():
        raise UsageError(f"{target} exists already.")
    site = Site.objects.get(id=site_at(source).site_id)
    _check_can_go(site)
    if live := BatchJob.objects.filter(site_id=[site.id], state=_LIVE).count():
        raise RefusedError(f"{live} batch jobs of the site {site.name} run from {site.path}. End them first.")
    shutil.move(source, target)
    try:
        push(client_here(), site.id, {"path": str(target)})
    except BaseException:
        shutil.move(target, source)
        raise
    click.echo(f"Moved site {site.name} to {target}")


@click.command(
    cls=BalsamCommand, help="Give a site another name.", examples=["balsam site rename ./tutorial other"]
)
@click.argument("path", type=click.Path(path_type=Path))
@click.argument("name")
def rename(path: Path, name: str) -> None:
    """Change the name."""
    from balsam.api.models import Site

    site = Site.objects.get(id=site_at(path).site_id)
    site.name = name
    site.save()
    click.echo(f"Renamed site to {name}")


@click.command(
    cls=BalsamCommand,
    help="Delete a site with its jobs.",
    examples=["balsam site rm ./tutorial", "balsam site rm --force tutorial"],
)
@click.argument("path")
@click.option("-f", "--force", is_flag=True, help="Ask nothing, and leave the files: PATH may be gone.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
def rm(path: str, force: bool, yes: bool) -> None:
    """Delete the record with all that belongs to it, then the directory."""
    from balsam.api.models import Job, Site

    site = one_site(path) if force else Site.objects.get(id=site_at(Path(path)).site_id)
    _check_can_go(site)
    count = Job.objects.filter(site_id=[site.id]).count()
    question = f"Do you really want to destroy {site.path}? This will wipe out {count} jobs inside!"
    if not force and not confirm(question, assume_yes=yes):
        click.echo("Nothing was deleted.")
        return
    where = Path(site.path)
    site.delete()
    if not force:
        shutil.rmtree(where)
    click.echo(f"Deleted site {where}")


def _check_can_go(site: "Site") -> None:
    """Raise RefusedError while an agent runs there, and for the database directory."""
    from balsam.agent.site_control import agent_of
    from balsam.core.models.site import FIRST_SITE

    if site.id == FIRST_SITE:
        raise RefusedError(f"{site.path} is the database directory itself, and stays where it is.")
    found = agent_of(client_here(), site.id)
    if found is not None:
        raise RefusedError(
            f"The agent of {site.path} runs on {found.host} [pid {found.pid}]. "
            "Stop it there first, with `balsam site stop`."
        )

"""`balsam app rm`: delete applications, with their jobs."""

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import confirm
from balsam.cli.selection import app_ids, site_filter, site_option
from balsam.exceptions import UsageError


@click.command(
    cls=BalsamCommand,
    help="Delete applications, with their jobs.",
    examples=["balsam app rm --name Hello --site theta", "balsam app rm --all --site theta"],
)
@click.option("-n", "--name", default="", help="Name, or module.Class.")
@click.option("-a", "--all", "is_all", is_flag=True, help="All applications of the sites.")
@site_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def rm(name: str, is_all: bool, site: str, yes: bool) -> None:
    """Ask if jobs would go with them, and delete them."""
    from balsam.api.models import App, Job

    if is_all == bool(name):
        raise UsageError("Give one of --name NAME and --all.")
    if is_all and not site:
        raise UsageError("Say of which site: --all --site NAME.")
    filters = site_filter(site)
    ids = (
        [app.id for app in App.objects.filter(**filters)] if is_all else app_ids(name, filters.get("site_id"))
    )
    jobs = Job.objects.filter(app_id=ids).count()
    asked = f"Delete {len(ids)} application{'s' * (len(ids) != 1)} and the {jobs} jobs of them?"
    if (jobs or is_all) and not yes and not confirm(asked):
        click.echo("Nothing was deleted.")
        return
    App.objects.filter(id=ids).delete()
    click.echo(f"Deleted {len(ids)} application{'s' * (len(ids) != 1)}, {jobs} jobs.")

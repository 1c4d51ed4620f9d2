"""`balsam app sync`: tell a site what its files define."""

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import confirm
from balsam.cli.selection import one_site, site_option


@click.command(
    cls=BalsamCommand,
    help="Tell a site what the files in its apps directory define.",
    examples=["balsam app sync", "balsam app sync --site laptop --yes"],
)
@site_option
@click.option("-y", "--yes", is_flag=True, help="Delete those that no file defines, without asking.")
def sync(site: str, yes: bool) -> None:
    """Say of each application what has changed; ask about those that are gone."""
    from balsam.api.file_apps import sync_files
    from balsam.api.models import App, Job

    for app in sync_files(one_site(site)):
        if app.change != "MISSING":
            click.echo(f"{app.change:<12} {app.class_path} (app_id={app.app_id})")
            continue
        jobs = Job.objects.filter(app_id=app.app_id).count()
        click.echo(f"{'DELETED':<12} {app.class_path} (app_id={app.app_id}), or renamed: no file defines it")
        if confirm(f"Delete the application and the {jobs} jobs of it?", assume_yes=yes):
            App.objects.filter(id=app.app_id).delete()

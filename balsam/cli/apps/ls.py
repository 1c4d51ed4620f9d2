"""`balsam app ls`: list the applications of sites."""

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.options import BalsamCommand
from balsam.cli.selection import site_filter, site_option

_COLUMNS = [Column("id", title="ID"), Column("name", title="Name"), Column("site", title="Site")]


@click.command(cls=BalsamCommand, help="List applications of sites.", examples=["balsam app ls --site all"])
@site_option
@click.option("-v", "--verbose", is_flag=True, help="Show all fields, as YAML.")
@output_option
def ls(site: str, verbose: bool, output: OutputFormat) -> None:
    """List, or show in full."""
    from balsam.api.models import App, Site

    apps = list(App.objects.filter(**site_filter(site)).order_by("site_id"))
    if verbose:
        for app in apps:
            click.echo(f"{app}----")
        return
    sites = {found.id: found.name for found in Site.objects.all()}
    rows = [
        {"id": app.id, "name": app.class_path or app.name, "site": sites.get(app.site_id, "")} for app in apps
    ]
    display(rows, _COLUMNS, output)

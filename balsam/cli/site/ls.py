"""`balsam site ls`: list one's sites."""

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.options import BalsamCommand
from balsam.cli.site.places import is_active

_COLUMNS = [
    Column("id", title="ID"),
    Column("name", title="Name"),
    Column("path", lambda path: path if len(path) <= 40 else f"...{path[-37:]}", title="Path"),
    Column("active", lambda active: "Yes" if active else "No", title="Active"),
]


@click.command(
    cls=BalsamCommand,
    help="List your sites; an active one has an agent that runs.",
    examples=["balsam site ls", "balsam site ls -v"],
)
@click.option("-v", "--verbose", is_flag=True, help="All fields.")
@output_option
def ls(verbose: bool, output: OutputFormat) -> None:
    """List, or show in full."""
    from balsam.api.models import Site

    found = list(Site.objects.order_by("id"))
    if verbose and output is OutputFormat.TABLE:
        for site in found:
            click.echo(f"{site}---")
        return
    display([{**site.display_dict(), "active": is_active(site)} for site in found], _COLUMNS, output)

"""`balsam app create`: write a new application into the files of a site."""

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.selection import one_site, site_option


@click.command(
    cls=BalsamCommand,
    help="Write a new application into the files of a site.",
    examples=["balsam app create --name test.Hello --command-template 'echo Hello {{ name }}!'"],
)
@click.option("-n", "--name", prompt="Application Name (of the form MODULE.CLASS)", help="MODULE.CLASS.")
@click.option(
    "-c",
    "--command-template",
    "template",
    prompt="Application Template [e.g. 'echo Hello {{ name }}!']",
    help="What its jobs run; {{ name }} is a parameter.",
)
@click.option("-d", "--description", default="Application description", help="What it is.")
@site_option
def create(name: str, template: str, description: str, site: str) -> None:
    """Write the file, and tell the site."""
    from pathlib import Path

    from balsam.api.file_apps import sync_files
    from balsam.api.new_file_app import write_file_app

    at = one_site(site)
    path = write_file_app(Path(at.path) / "apps", name, template, description)
    click.echo(f"Created App {name.rpartition('.')[2]} in {path}")
    sync_files(at)

"""`balsam site start|stop|sync|status`, and `sample-settings`."""

import os

import click

from balsam.cli.display import Column, OutputFormat, display, output_option, table_lines
from balsam.cli.options import BalsamCommand
from balsam.cli.site.places import client_here, site_here

_COLUMNS = [
    Column(name)
    for name in (
        *("path", "state", "host", "pid", "since", "log", "scheduler", "scheduler_problem"),
        *("waits_for", "loops"),
    )
]
_LOOP_COLUMNS = [
    Column(name) for name in ("name", "cycles", "last_completed", "failures", "last_failed", "last_error")
]


@click.command(cls=BalsamCommand, help="Start the agent of this site.", examples=["balsam site start"])
def start() -> None:
    """Start it, and return when it is up, and others know what its settings allow."""
    from balsam.agent.site_control import start_agent
    from balsam.config import SiteConfig

    site = site_here()
    config = SiteConfig()  # says what is wrong with the settings
    click.echo(f"Starting Balsam site at {site.path}")
    started = start_agent(client_here(), site)
    config.update_site_from_config()
    click.echo(f"Started Balsam site daemon [pid {started.pid}] on {os.uname().nodename}")
    click.echo(f"It logs to {started.log}; `balsam site status` shows how it goes.")


@click.command(cls=BalsamCommand, help="Stop the agent of this site.", examples=["balsam site stop"])
def stop() -> None:
    """Stop it, and return when it has ended."""
    from balsam.agent.site_control import stop_agent

    stop_agent(client_here(), site_here(), click.echo)


@click.command(
    cls=BalsamCommand,
    help="Tell others what the settings of this site allow, and restart its agent if it runs.",
    examples=["balsam site sync"],
)
def sync() -> None:
    """Push the settings, then have a running agent read them."""
    from balsam.agent.site_control import agent_of, start_agent, stop_agent
    from balsam.agent.site_status import push_settings
    from balsam.config import SiteConfig

    site, client = site_here(), client_here()
    push_settings(client, SiteConfig())
    click.echo("Updated site.")
    if agent_of(client, site.site_id) is not None:
        stop_agent(client, site, click.echo)
        started = start_agent(client, site)
        click.echo(f"Started Balsam site daemon [pid {started.pid}] on {os.uname().nodename}")


@click.command(
    cls=BalsamCommand,
    help="Show how the agent of this site goes.",
    examples=["balsam site status", "balsam site status -o json"],
)
@output_option
def status(output: OutputFormat) -> None:
    """Print where it runs, what it waits for, and how each of its loops goes."""
    from balsam.agent.control import service_row

    site = site_here()
    row = service_row(client_here(), site.path, site_id=site.site_id, start="balsam site start")
    row["path"] = str(site.path)
    if output is not OutputFormat.TABLE:
        display([row], _COLUMNS, output)
        return
    since = row["since"].astimezone()
    click.echo(f"site       {site.path}")
    click.echo(f"agent      {row['state']} on host {row['host']}, pid {row['pid']}, since {since:%F %T}")
    click.echo(f"log        {row['log']}")
    click.echo(f"scheduler  {row['scheduler']} {row['scheduler_problem']}".rstrip())
    if row["waits_for"]:
        click.echo(f"waits for  {row['waits_for']}")
    click.echo()
    for line in table_lines(row["loops"], _LOOP_COLUMNS):
        click.echo(line)


@click.command(
    "sample-settings",
    cls=BalsamCommand,
    help="Print settings with all their keys.",
    examples=["balsam site sample-settings -c polaris"],
)
@click.option("-c", "--config", "config", default="auto", metavar="MACHINE", help="For this machine.")
def sample_settings(config: str) -> None:
    """Print what `balsam site init` would write."""
    from balsam.config.site_builder import settings_text
    from balsam.platform.machines import load_machine

    click.echo(settings_text(load_machine(config), []), nl=False)

"""``balsam site VERB``: directories where jobs run, and the agents that see to them."""

import click

from balsam.cli.verbs import VerbGroup

__all__ = ["site"]


@click.command(
    cls=VerbGroup,
    help="Make sites, and start and stop their agents.",
    verbs={
        "init": ("balsam.cli.site.init:init", "Make a site in a new directory."),
        "ls": ("balsam.cli.site.ls:ls", "List your sites."),
        "start": ("balsam.cli.site.agent:start", "Start the agent of this site."),
        "stop": ("balsam.cli.site.agent:stop", "Stop the agent of this site."),
        "sync": ("balsam.cli.site.agent:sync", "Take over the settings of this site."),
        "status": ("balsam.cli.site.agent:status", "Show how the agent of this site goes."),
        "mv": ("balsam.cli.site.changing:mv", "Move the directory of a site."),
        "rename": ("balsam.cli.site.changing:rename", "Give a site another name."),
        "rm": ("balsam.cli.site.changing:rm", "Delete a site with its jobs."),
        "globus-login": (
            "balsam.cli.site.globus_login:globus_login",
            "Log in to Globus.",
        ),
        "sample-settings": ("balsam.cli.site.agent:sample_settings", "Print settings with all their keys."),
    },
    examples=["balsam site init -n tutorial ./tutorial", "balsam site start", "balsam site ls"],
)
def site() -> None:
    """Never called: without a verb, the help is shown."""

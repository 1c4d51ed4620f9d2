"""``balsam transfer VERB``: files that are brought to jobs, and taken from them."""

import click

from balsam.cli.verbs import VerbGroup

__all__ = ["transfer"]


@click.command(
    cls=VerbGroup,
    help="See files that are moved for jobs, and help them on.",
    verbs={
        "ls": ("balsam.cli.transfers.ls:ls", "List transfers."),
        "show": ("balsam.cli.transfers.ls:show", "Show transfers in full."),
        "retry": ("balsam.cli.transfers.changing:retry", "Try transfers again."),
        "cancel": ("balsam.cli.transfers.changing:cancel", "Cancel transfers; their jobs fail."),
        "login": ("balsam.cli.transfers.login:login", "Log in to a host for transfers."),
    },
    examples=["balsam transfer ls", "balsam transfer retry --job 7", "balsam transfer login ada@host"],
)
def transfer() -> None:
    """Never called: without a verb, the help is shown."""

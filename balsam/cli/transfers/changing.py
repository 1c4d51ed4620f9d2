"""`balsam transfer retry` and `cancel`: what becomes of transfers that wait or have failed."""

from typing import Any

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import confirm
from balsam.cli.transfers.selecting import selected, selection
from balsam.exceptions import RefusedError


@click.command(
    cls=BalsamCommand,
    help="Try transfers again that wait, or have failed.",
    examples=["balsam transfer retry 12", "balsam transfer retry --state error --tag workflow=x"],
)
@selection
def retry(**options: Any) -> None:
    """Have them tried at once; failed jobs wait for theirs again."""
    if not options["ids"] and not options["state"]:
        options["state"] = ("error", "inactive")
    _set(options, "pending", "tried again")


@click.command(
    cls=BalsamCommand,
    help="Cancel transfers; the jobs that wait for them fail.",
    examples=["balsam transfer cancel 12", "balsam transfer cancel --job 7 --yes"],
)
@selection
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def cancel(yes: bool, **options: Any) -> None:
    """Ask, and cancel them."""
    if not options["ids"] and not options["state"]:
        options["state"] = ("pending", "active", "inactive")
    count = len(selected(options))
    what = "1 transfer" if count == 1 else f"{count} transfers"
    if confirm(f"Cancel {what}, and fail the jobs that wait for them?", assume_yes=yes):
        _set(options, "error", "cancelled")
    else:
        click.echo("Nothing was cancelled.")


def _set(options: dict[str, Any], state: str, done: str) -> None:
    """Set the state of each; raises RefusedError that names those refused."""
    from balsam.api.connection import client

    found = selected(options)
    reply = client().update_resources("transfer", {item.id: {"state": state} for item in found})
    count = len(reply.changed)
    click.echo(f"1 transfer is {done}." if count == 1 else f"{count} transfers are {done}.")
    if reply.refused:
        raise RefusedError("\n".join(list(reply.refused.values())[:5]))

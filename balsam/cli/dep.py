"""`balsam dep`: make one job wait for another."""

import click

from balsam.cli.options import BalsamCommand


@click.command(
    cls=BalsamCommand,
    help="Make one job wait for another.",
    examples=["balsam dep 3f2a 91bc    # ids, or a part of them that no other id has"],
)
@click.argument("parent")
@click.argument("child")
def dep(parent: str, child: str) -> None:
    """Link the two jobs."""
    from balsam.core.defining import link

    first, second = link(parent, child)
    click.echo(f"Created link {first.cute_id} --> {second.cute_id}")

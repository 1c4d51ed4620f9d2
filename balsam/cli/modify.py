"""`balsam modify`: change an attribute of a job or application."""

import click

from balsam.cli.options import BalsamCommand


@click.command(
    cls=BalsamCommand,
    help="Change an attribute of a job or application.",
    context_settings={"ignore_unknown_options": True},
    examples=[
        "balsam modify 3f2a state RESTART_READY",
        "balsam modify 3f2a data '{\"x\": 3}'",
        "balsam modify 3f2a auto_timeout_retry false",
        "balsam modify square executable /opt/square --type apps",
    ],
)
@click.argument("id_", metavar="ID")
@click.argument("attribute", metavar="ATTR")
@click.argument("value", metavar="VALUE")
@click.option(
    "--type",
    "kind",
    type=click.Choice(["jobs", "apps"]),
    default="jobs",
    help="What ID is the id of (default: jobs).",
)
def modify(id_: str, attribute: str, value: str, kind: str) -> None:
    """Set the attribute; the value is read by the attribute's type."""
    from balsam.core import editing

    change = editing.modify_app if kind == "apps" else editing.modify_job
    _, new = change(id_, attribute, value)
    click.echo(f"{'Application' if kind == 'apps' else 'Job'} {attribute} changed to:  {new}")

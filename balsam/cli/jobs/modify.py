"""`balsam job modify`: change the state, tags or resources of jobs."""

from typing import Any

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import confirm
from balsam.cli.selection import job_filters, job_selection, key_values
from balsam.exceptions import UsageError


@click.command(
    cls=BalsamCommand,
    help="Change jobs.",
    examples=[
        "balsam job modify --id 7 --set-state RESTART_READY",
        "balsam job modify --tag workflow=hello --state FAILED --set num_nodes=2 --yes",
    ],
)
@job_selection
@click.option("--set-state", metavar="STATE", help="State to bring the jobs to.")
@click.option(
    "--set", "fields", multiple=True, metavar="FIELD=VALUE", callback=key_values, help="Field to change."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def modify(set_state: str | None, fields: dict[str, str], yes: bool, **selection: Any) -> None:
    """Show how many jobs it concerns, ask, and change them."""
    from balsam.api.models import Job

    patch: dict[str, Any] = {**fields, **({"state": set_state} if set_state else {})}
    if not patch:
        raise UsageError("Say what to change: --set-state STATE, or --set FIELD=VALUE.")
    if not any(value for name, value in selection.items() if name != "site"):
        raise UsageError("Say which jobs: --id, --tag, --state, --app or --workdir.")
    query = Job.objects.filter(**job_filters(**selection))
    count = query.count()
    if not count:
        click.echo("No job matches.")
        return
    if not yes and not confirm(f"Change {', '.join(patch)} of {count} job{'s' * (count != 1)}?"):
        click.echo("Nothing was changed.")
        return
    click.echo(f"Changed {query.update(**patch)} of {count}.")

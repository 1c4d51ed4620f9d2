"""`balsam job create`: add a job at a site."""

from typing import Any

import click

from balsam.cli.jobs.selecting import numbers_of
from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import confirm
from balsam.cli.selection import app_ids, key_values, long_site_option, site_filter
from balsam.exceptions import AmbiguousError, UsageError

#: Why a new job will not run; others are usual.
_WORTH_A_WARNING = ("impossible", "no_agent", "no_mover", "agent_silent", "agent_fails", "parent_failed")


@click.command(
    cls=BalsamCommand,
    help="Add a job at a site.",
    examples=[
        "balsam job create --app Hello --workdir demo/hello --param name=world --tag workflow=hello --yes",
        "balsam job create --app sim.Run --workdir run/1 -n 2 -rpn 32 --parent-id 7 --yes",
    ],
)
@click.option("-w", "--workdir", required=True, help="Directory of its own, below data.")
@click.option("-a", "--app", required=True, help="Application: name, module.Class or id.")
@click.option("-tag", "--tag", "tags", multiple=True, metavar="KEY=VALUE", callback=key_values, help="Label.")
@click.option(
    "-p", "--param", "parameters", multiple=True, metavar="KEY=VALUE", callback=key_values,
    help="Parameter of the application.",
)  # fmt: skip
@click.option("-n", "--num-nodes", type=int, default=1, show_default=True, help="Nodes.")
@click.option("-rpn", "--ranks-per-node", type=int, default=1, show_default=True, help="MPI ranks on a node.")
@click.option("-tpr", "--threads-per-rank", type=int, default=1, show_default=True, help="Threads of a rank.")
@click.option("-tpc", "--threads-per-core", type=int, default=1, show_default=True, help="Threads on a core.")
@click.option("-g", "--gpus-per-rank", type=float, default=0, show_default=True, help="GPUs of a rank.")
@click.option(
    "-npc", "--node-packing-count", type=int, default=1, show_default=True, help="Such jobs on one node."
)
@click.option(
    "-lp", "--launch-param", "launch_params", multiple=True, metavar="KEY=VALUE", callback=key_values,
    help="More for the MPI launcher.",
)  # fmt: skip
@click.option("-t", "--wall-time-min", type=int, default=1, show_default=True, help="Expected run time.")
@click.option("-pid", "--parent-id", "parent_ids", multiple=True, metavar="ID", help="Job to wait for.")
@click.option(
    "-s", "--stage-data", "transfers", multiple=True, metavar="SLOT=ALIAS:/PATH", callback=key_values,
    help="Where a transfer slot of the application copies from or to.",
)  # fmt: skip
@click.option("--priority", type=int, default=0, show_default=True, help="Higher runs first.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@long_site_option
def create(app: str, site: str, yes: bool, parent_ids: tuple[str, ...], **fields: Any) -> None:
    """Show the job, ask, and add it."""
    from balsam.api.models import Job

    job = Job(app_id=_one_app(app, site), parent_ids=numbers_of(parent_ids), **fields)
    click.echo(str(job))
    if not yes and not confirm("Do you want to create this Job?"):
        click.echo("Nothing was added.")
        return
    job.save()
    click.echo(f"Added Job id={job.id}")
    found = job.explain()
    if found.reason in _WORTH_A_WARNING:
        click.echo(f"Warning: {found.text}\nNext: {found.next_step}", err=True)


def _one_app(app: str, site: str) -> int:
    filters = site_filter(site)
    found = app_ids(app, filters.get("site_id"))
    if len(found) > 1:
        raise AmbiguousError(
            f"Several applications are named {app!r}: number {', '.join(map(str, found))}. "
            "Say at which site: --site NAME, or give the number."
        )
    if not found:
        raise UsageError("Name an application: --app NAME.")
    return found[0]

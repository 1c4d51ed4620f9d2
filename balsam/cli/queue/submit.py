"""`balsam queue submit`: ask for a batch job at a site."""

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.queue.parts import check_parts, read_part
from balsam.cli.selection import key_values, one_site, site_option
from balsam.cli.site.places import is_active
from balsam.exceptions import UsageError


@click.command(
    cls=BalsamCommand,
    help="Ask for a batch job at a site.",
    examples=[
        "balsam queue submit -n 2 -t 10 -q debug -A project -j mpi --tag workflow=hello",
        "balsam queue submit -n 3 -t 10 -q debug -A project -p mpi:2:role=sim -p serial:1:role=check",
    ],
)
@click.option("-n", "--num-nodes", type=click.IntRange(min=1), required=True, help="Nodes.")
@click.option("-t", "--wall-time-min", type=click.IntRange(min=1), required=True, help="Minutes.")
@click.option("-q", "--queue", required=True, help="Queue or partition.")
@click.option("-A", "--project", required=True, help="Project or account.")
@click.option(
    "-j",
    "--job-mode",
    type=click.Choice(["serial", "mpi"]),
    help="How its jobs are started.",
)
@click.option(
    "-tag", "--tag", "filter_tags", multiple=True, metavar="KEY=VALUE", callback=key_values,
    help="Run only jobs with this tag.",
)  # fmt: skip
@click.option(
    "-x", "--extra-param", "optional_params", multiple=True, metavar="KEY=VALUE", callback=key_values,
    help="Value for the job template.",
)  # fmt: skip
@click.option(
    "-p", "--part", "parts", multiple=True, metavar="MODE:NODES[:KEY=VALUE...]",
    help="A part of the nodes, with its own mode and tags.",
)  # fmt: skip
@site_option
def submit(
    num_nodes: int,
    wall_time_min: int,
    queue: str,
    project: str,
    job_mode: str | None,
    filter_tags: dict[str, str],
    optional_params: dict[str, str],
    parts: tuple[str, ...],
    site: str,
) -> None:
    """Ask, and show what was asked for."""
    from balsam.api.models import BatchJob

    chosen = one_site(site)
    partitions = [read_part(text) for text in parts]
    if not job_mode and not partitions:
        raise UsageError("Say how its jobs are started: --job-mode serial, or --job-mode mpi.")
    check_parts(partitions, num_nodes)
    batch_job = BatchJob(
        site_id=chosen.id,
        num_nodes=num_nodes,
        wall_time_min=wall_time_min,
        queue=queue,
        project=project,
        job_mode=job_mode or str(partitions[0]["job_mode"]),
        filter_tags=filter_tags,
        optional_params=optional_params,
        partitions=partitions or None,
    )
    batch_job.save()
    click.echo(str(batch_job), nl=False)
    if not is_active(chosen):
        click.echo(
            f"Warning: the site {chosen.name} has no agent that could submit it. "
            f"`cd {chosen.path} && balsam site start` starts it.",
            err=True,
        )

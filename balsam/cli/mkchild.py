"""`balsam mkchild`: add a child of the job this runs in."""

from typing import Any

import click

from balsam.cli.job_options import job_fields, job_options
from balsam.cli.options import BalsamCommand


@click.command(
    cls=BalsamCommand,
    help="Add a child of the job this runs in.",
    examples=[
        "balsam mkchild --name next --workflow wf --application sim --wall-minutes 5 --num-nodes 1 "
        "--ranks-per-node 1",
    ],
)
@job_options
@click.option(
    "--wall-minutes", "wall_time_minutes", type=int, required=True, help="How long it is expected to run."
)
@click.option("--num-nodes", type=int, required=True, help="Nodes it needs.")
@click.option("--ranks-per-node", type=int, required=True, help="MPI ranks on each node.")
@click.option("--preprocessor", default="", help="Preprocess in place of the application's.")
@click.option("--postprocessor", default="", help="Postprocess in place of the application's.")
@click.option("--yes", is_flag=True, hidden=True, expose_value=False, help="Accepted; nothing is asked.")
def mkchild(preprocessor: str, postprocessor: str, **options: Any) -> None:
    """Add the child and show it."""
    from balsam.core.defining import add_child, current_job

    parent = current_job()
    child = add_child(parent, job_fields(options), preprocess=preprocessor, postprocess=postprocessor)
    click.echo(child)
    click.echo(f"Created link {parent.cute_id} --> {child.cute_id}")

"""`balsam submit-launch`: ask the scheduler for nodes on which a launcher runs the jobs."""

import click

from balsam.cli.options import BalsamCommand


@click.command(
    "submit-launch",
    cls=BalsamCommand,
    help="Ask the scheduler for nodes, and run the jobs on them.",
    examples=[
        "balsam submit-launch -n 2 -q debug -A my-project -t 30 --job-mode mpi",
        "balsam submit-launch -n 1 -q debug -A my-project -t 30 --job-mode serial --wf-filter sweep1",
    ],
)
@click.option("-n", "--nodes", type=click.IntRange(min=1), required=True, help="Number of nodes.")
@click.option(
    "-t", "--time-minutes", type=click.IntRange(min=1), required=True, help="Time limit of the batch job."
)
@click.option("-q", "--queue", required=True, help="Queue or partition.")
@click.option("-A", "--project", required=True, help="Project that pays.")
@click.option("--job-mode", type=click.Choice(["serial", "mpi"]), required=True, help="How jobs are started.")
@click.option("--wf-filter", metavar="WF", default="", help="Run only jobs whose workflow contains WF.")
@click.option(
    "--sched-flags", metavar="FLAGS", default="", help="More flags of the submit command, in one word."
)
def submit_launch(
    nodes: int, time_minutes: int, queue: str, project: str, job_mode: str, wf_filter: str, sched_flags: str
) -> None:
    """Submit, and show the batch job."""
    from balsam.batch import open_desk, submit_request
    from balsam.core.batch_jobs import require_workflow
    from balsam.core.models import QueuedLaunch
    from balsam.core.premises import check_files_are_here
    from balsam.postgres.active import active_db_path
    from balsam.schemas.batch_jobs import BatchJobRequest

    check_files_are_here()
    desk = open_desk(active_db_path())
    require_workflow(wf_filter)
    info = submit_request(
        desk,
        BatchJobRequest(
            scheduler=desk.adapter.name,
            project=project,
            queue=queue,
            num_nodes=nodes,
            wall_time_min=time_minutes,
            job_mode=job_mode,
            workflow=wf_filter,
            sched_flags=sched_flags,
        ),
    )
    click.echo(f"Submit OK: {QueuedLaunch.objects.get(pk=info.batch_job_id)}")

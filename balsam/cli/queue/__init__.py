"""``balsam queue VERB``: the batch jobs of sites."""

import click

from balsam.cli.verbs import VerbGroup

__all__ = ["queue"]


@click.command(
    cls=VerbGroup,
    help="Ask for batch jobs at sites, list and end them.",
    verbs={
        "submit": ("balsam.cli.queue.submit:submit", "Ask for a batch job."),
        "ls": ("balsam.cli.queue.ls:ls", "List batch jobs."),
        "term": ("balsam.cli.queue.term:term", "End a batch job."),
    },
    examples=["balsam queue submit -n 1 -t 10 -q debug -A project -j mpi", "balsam queue ls --history"],
)
def queue() -> None:
    """Never called: without a verb, the help is shown."""

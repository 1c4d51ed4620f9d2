"""`balsam selftest`: rehearse with fake batch systems, or check a real one."""

import getpass
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click

from balsam.cli.display import Column, OutputFormat, display, output_option
from balsam.cli.options import BalsamCommand
from balsam.exceptions import BalsamError, UsageError

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_JOB_COLUMNS = [
    Column(name)
    for name in ("id", "name", "queue", "project", "num_nodes", "minutes", "state", "end", "exit_code")
]


@click.group(
    help="Rehearse with fake batch systems, or check a real one.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def selftest() -> None:
    """Group the commands."""


@selftest.command(
    cls=BalsamCommand,
    help="Make a directory with the commands of a batch system that is not there: slurm, pbs, cobalt or lsf.",
    examples=[
        "balsam selftest fake slurm ~/fake --nodes 8",
        "balsam selftest fake pbs ~/fake --queue debug:max-nodes=2,max-minutes=60 --queue prod:closed",
        'PATH=~/fake/bin:"$PATH" sbatch job.sh',
    ],
)
@click.argument("scheduler")
@click.argument("directory", metavar="DIR", type=_DIRECTORY)
@click.option("--nodes", type=click.IntRange(1, 100_000), default=4, help="Nodes (default: 4).")
@click.option(
    "--queue", "queues", metavar="NAME[:LIMITS]", multiple=True,
    help="A queue and its limits: max-nodes=N, max-minutes=N, max-queued=N, closed.",
)  # fmt: skip
@click.option("--project", "projects", metavar="NAME", multiple=True, help="Take no other projects.")
@click.option("--minute", "minute_sec", type=click.FloatRange(0.01), default=60.0, metavar="SEC",
              help="How long a minute of wall time lasts (default: 60 s).")  # fmt: skip
@click.option("--grace", "grace_sec", type=click.FloatRange(0), default=10.0, metavar="SEC",
              help="From SIGTERM to SIGKILL (default: 10 s).")  # fmt: skip
def fake(
    scheduler: str,
    directory: Path,
    nodes: int,
    queues: tuple[str, ...],
    projects: tuple[str, ...],
    minute_sec: float,
    grace_sec: float,
) -> None:
    """Make it, and say how to use it."""
    from balsam.selftest.setting_up import DEFAULT_QUEUES, make_fake, read_queue

    commands = make_fake(
        scheduler,
        directory,
        num_nodes=nodes,
        queues=dict(map(read_queue, queues)) or DEFAULT_QUEUES,
        projects=projects,
        minute_sec=minute_sec,
        grace_sec=grace_sec,
    )
    click.echo(f'export PATH={commands}:"$PATH"')
    click.echo(f"{', '.join(sorted(path.name for path in commands.iterdir()))} are in {commands}.", err=True)


@selftest.command(
    cls=BalsamCommand,
    help="Have a fake batch system do something wrong. `balsam selftest misbehave DIR list` lists what.",
    examples=[
        "balsam selftest misbehave ~/fake fail-after --command sbatch",
        "balsam selftest misbehave ~/fake garbage --times 1000 --probability 0.1 --seed 7",
        "balsam selftest misbehave ~/fake none",
    ],
)
@click.argument("directory", metavar="DIR", type=_DIRECTORY)
@click.argument("kind")
@click.option("--times", type=click.IntRange(1), default=1, help="How often (default: once).")
@click.option("--command", default="", metavar="NAME", help="Only when this command is called.")
@click.option(
    "--probability", type=click.FloatRange(0, 1), default=1.0, help="In how many calls (default: 1)."
)
@click.option("--seed", default="", help="The same seed gives the same calls.")
@click.option("--seconds", type=float, help="How late, or how far the clock is wrong.")
def misbehave(
    directory: Path,
    kind: str,
    times: int,
    command: str,
    probability: float,
    seed: str,
    seconds: float | None,
) -> None:
    """Arm it, or disarm all with ``none``."""
    from balsam.selftest.fakes.mischief import KINDS, arm, disarm
    from balsam.selftest.setting_up import open_fake

    if kind not in (*KINDS, "none", "list"):
        raise UsageError(f"There is no mischief {kind!r}. `balsam selftest misbehave DIR list` lists them.")
    with open_fake(directory) as ledger:
        if kind == "list":
            for name, (_, what) in KINDS.items():
                click.echo(f"{name:15} {what}")
        elif kind == "none":
            disarm(ledger)
        else:
            arm(
                ledger,
                kind,
                command=command,
                times=times,
                probability=probability,
                seed=seed,
                seconds=seconds,
            )


@selftest.command(
    cls=BalsamCommand,
    help="List every batch job that a fake batch system has ever taken, whatever its commands say.",
    examples=["balsam selftest jobs ~/fake -o json"],
)
@click.argument("directory", metavar="DIR", type=_DIRECTORY)
@output_option
def jobs(directory: Path, output: OutputFormat) -> None:
    """Show the fake's own account."""
    from balsam.selftest.setting_up import open_fake

    with open_fake(directory) as ledger:
        taken = ledger.jobs()
    rows = [{column.name: getattr(job, column.name) for column in _JOB_COLUMNS} for job in taken]
    display(rows, _JOB_COLUMNS, output)


@selftest.command(
    cls=BalsamCommand,
    help="Check that Balsam and a batch system understand each other, by submitting two tiny batch jobs.",
    examples=[
        "balsam selftest scheduler slurm --queue debug --project demo",
        "balsam selftest scheduler pbs --fake",
    ],
    epilog="Run it where the nodes see the directory you are in. Nothing is left behind.",
)
@click.argument("name")
@click.option("--queue", default="", help="Queue of the batch jobs: one node for 5 minutes each.")
@click.option("--project", default="", help="Project of the batch jobs.")
@click.option("--wait", "patience_sec", type=click.FloatRange(1), default=600.0, metavar="SEC",
              help="How long to wait for each step (default: 600 s).")  # fmt: skip
@click.option("--fake", "use_fake", is_flag=True, help="Ask a fake made for this, instead of a real one.")
def scheduler(name: str, queue: str, project: str, patience_sec: float, use_fake: bool) -> None:
    """Run the rehearsal; raises BalsamError when a check fails."""
    from balsam.platform.scheduler import load_scheduler
    from balsam.selftest.dialogue import Dialogue
    from balsam.selftest.rehearsal import Finding, Rehearsal

    def show(finding: Finding) -> None:
        click.echo(f"{'OK  ' if finding.is_ok else 'FAIL'} {finding.check}: {finding.words}".rstrip(": "))
        if finding.advice:
            click.echo(f"     {finding.advice}")

    with _fake_on_path(name) if use_fake else nullcontext(), _directory() as directory:
        dialogue = Dialogue(
            load_scheduler(name),
            directory,
            user=getpass.getuser(),
            queue=queue or "debug" * use_fake,
            project=project or "demo" * use_fake,
            patience_sec=patience_sec,
        )
        if not Rehearsal(dialogue, show).run():
            raise BalsamError(
                "Balsam and this batch system do not understand each other in all; see FAIL above."
            )


@contextmanager
def _directory() -> Iterator[Path]:
    """Make a directory below the one of the user, which the nodes may see, and remove it at the end."""
    directory = Path(tempfile.mkdtemp(prefix="balsam-selftest-", dir=Path.cwd()))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _fake_on_path(name: str) -> Iterator[None]:
    """Put the commands of a new fake on PATH."""
    from balsam.selftest.setting_up import make_fake

    with tempfile.TemporaryDirectory(prefix="balsam-fake-") as directory:
        os.environ["PATH"] = f"{make_fake(name, Path(directory))}:{os.environ['PATH']}"
        yield

"""`balsam launcher`: run jobs on the nodes of this allocation, or on this machine."""

import asyncio
import os
import shutil
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from balsam.cli.errors import EXIT_INTERRUPTED
from balsam.cli.options import BalsamCommand
from balsam.cli.selection import key_values

if TYPE_CHECKING:
    from balsam.config.site_dir import SiteDir
    from balsam.launcher.tally import Tally

_LINE_SEC = 0.5


@click.command(
    cls=BalsamCommand,
    help="Run the jobs of the database on this allocation.",
    short_help="Run the jobs of the database on this allocation.",
    examples=[
        "balsam launcher --consume-all --job-mode serial",
        "balsam launcher --wf-filter sweep1 --job-mode mpi --time-limit-minutes 58",
    ],
)
@click.option("--consume-all", is_flag=True, help="Run every job that is ready (at a site: of it).")
@click.option("--wf-filter", metavar="WF", help="Run only jobs whose workflow contains WF.")
@click.option(
    "-j", "--job-mode", type=click.Choice(["mpi", "serial"]), required=True, help="How jobs are started."
)
@click.option(
    "-t",
    "--time-limit-minutes",
    type=click.FloatRange(min=0),
    default=0,
    help="Stop after this; 0: with the batch job.",
)
@click.option(
    "-tag", "--tag", "tags", multiple=True, metavar="KEY=VALUE", callback=key_values,
    help="Run only jobs with this tag.",
)  # fmt: skip
@click.option(
    "-p", "--part", "parts", multiple=True, metavar="MODE:NODES[:KEY=VALUE...]",
    help="Run a launcher of its own on so many nodes, for jobs with these tags.",
)  # fmt: skip
@click.option(
    "--num-transition-threads", type=click.IntRange(min=0), help="Hooks and staging done at once; 0: none."
)
@click.option(
    "--gpus-per-node", type=click.IntRange(min=0), default=0, help="GPUs that jobs may use on a node."
)
@click.option("--limit-nodes", type=click.IntRange(min=1), help="Use so many nodes of the allocation.")
@click.option("--offset-nodes", type=click.IntRange(min=0), default=0, help="Skip so many nodes first.")
@click.option("--persistent", is_flag=True, help="Stay when nothing is left to do.")
@click.option("--no-time-check", is_flag=True, help="Also start jobs that the time left is too short for.")
@click.option("--ignore-failures", is_flag=True, help="Exit with 0 even when jobs have failed.")
def launcher(
    consume_all: bool,
    wf_filter: str | None,
    job_mode: str,
    time_limit_minutes: float,
    tags: dict[str, str],
    parts: tuple[str, ...],
    num_transition_threads: int | None,
    gpus_per_node: int,
    limit_nodes: int | None,
    offset_nodes: int,
    persistent: bool,
    no_time_check: bool,
    ignore_failures: bool,
) -> None:
    """Run a launcher in the foreground, until nothing is left to do or its time is over."""
    from balsam.cli.launcher_core import reach_jobs
    from balsam.config.site_config import enter_site, settings_here
    from balsam.config.site_dir import find_site_dir
    from balsam.launcher.options import LauncherOptions
    from balsam.launcher.start import run_launcher

    site = find_site_dir()
    if (consume_all and wf_filter is not None) or (site is None and not consume_all and wf_filter is None):
        raise click.UsageError("Give one of --consume-all and --wf-filter WF.")
    if site is not None:
        enter_site(site)
    if parts:
        _run_parts(parts, time_limit_minutes, limit_nodes, offset_nodes)
    settings, client = settings_here(site), reach_jobs(site)
    options = LauncherOptions(
        mode=job_mode,
        workflow=wf_filter or "",
        site_id=1 if site is None else site.site_id,
        tags=tags,
        linger_sec=-1.0 if site is None else _linger_sec(site),
        time_limit_min=time_limit_minutes or None,
        num_transition_threads=(
            settings.NUM_TRANSITION_THREADS if num_transition_threads is None else num_transition_threads
        ),
        gpus_per_node=gpus_per_node,
        limit_nodes=limit_nodes,
        offset_nodes=offset_nodes,
        persistent=persistent,
        start_unfit=no_time_check,
    )
    click.echo(f"Starting Balsam launcher [{os.getpid()}]")
    tally, log_path = run_launcher(options, _show_live if sys.stdout.isatty() else None, site, client)
    for line in tally.closing_lines():
        click.echo(line)
    if tally.failed:
        click.echo(f"See `balsam ls --state FAILED --history`, and the log: {log_path}")
    if tally.is_interrupted:
        raise click.exceptions.Exit(EXIT_INTERRUPTED)
    if tally.failed and not ignore_failures:
        raise click.exceptions.Exit(1)


def _run_parts(parts: tuple[str, ...], minutes: float, limit: int | None, offset: int) -> NoReturn:
    """Run a launcher for each part of the nodes, beside one another, and exit as the worst of them did."""
    from balsam.launcher.parts import commands_of, run_together

    raise click.exceptions.Exit(run_together(commands_of(parts, minutes, limit, offset)))


def _linger_sec(site: "SiteDir") -> float:
    """Return how long a launcher of a site stays when there is nothing to do; it may have no settings."""
    from balsam.config.site_settings import SETTINGS_FILE, load_site_settings

    path = site.path / SETTINGS_FILE
    return load_site_settings(path).launcher.idle_ttl_sec if path.exists() else -1.0


async def _show_live(tally: "Tally") -> None:
    """Keep one line of the terminal up to date."""
    shown = ""
    try:
        while True:
            width = shutil.get_terminal_size().columns - 1  # a line that wraps cannot be taken back
            line = tally.line()[:width]
            if line != shown:
                click.echo(f"\r\x1b[K{line}", nl=False)
                shown = line
            await asyncio.sleep(_LINE_SEC)
    finally:
        click.echo("\r\x1b[K", nl=False)

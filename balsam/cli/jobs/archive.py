"""`balsam job archive`: pack the working directories of jobs that have ended."""

from pathlib import Path
from typing import Any

import click

from balsam.cli.jobs.packing import Packing, plan_packing
from balsam.cli.jobs.preview import jobs_text, show_jobs, tell_refused
from balsam.cli.jobs.selecting import job_selection, require_jobs
from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import confirm
from balsam.exceptions import BalsamError, UsageError
from balsam.lib.archives import index_of, pack, remove


@click.command(
    cls=BalsamCommand,
    help="Pack the working directories of jobs that have ended.",
    examples=[
        "balsam job archive --tag workflow=hello --to hello.tar.gz",
        "balsam job archive 7 8 --to jobs.tar.gz --remove --yes",
    ],
)
@job_selection
@click.option("--all", "is_all", is_flag=True, help="All jobs of the site.")
@click.option(
    "--to",
    "target",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The archive: NAME.tar.gz.",
)
@click.option("--remove", "removes", is_flag=True, help="Remove what has been packed.")
@click.option("--dry-run", is_flag=True, help="Show what would be packed, and do nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def archive(is_all: bool, target: Path, removes: bool, dry_run: bool, yes: bool, **selection: Any) -> None:
    """Show what it concerns, ask, pack, compare, and remove."""
    if not target.name.endswith((".tar.gz", ".tgz")):
        raise UsageError(f"The archive {str(target)!r} is to be a .tar.gz: give it that ending.")
    if not target.parent.is_dir():
        raise UsageError(f"There is no directory {target.parent} for the archive. Make it with `mkdir -p`.")
    jobs = require_jobs(selection, is_all=is_all)
    packing = plan_packing(jobs, target.absolute(), removes=removes)
    if not packing.jobs:
        tell_refused("Nothing was packed", packing.refused)
    if dry_run or not yes:
        show_jobs(packing.jobs)
    count, then = jobs_text(len(packing.jobs)), " and remove them" if removes else ""
    if dry_run or not confirm(f"Pack the directories of {count} into {target}{then}?", assume_yes=yes):
        click.echo("Nothing was packed.")
        return
    try:
        _pack(packing, target)
        if removes:
            _remove(packing, target)
    except OSError as error:
        raise BalsamError(
            f"Cannot pack into {target}: {error}. What was not in the archive is where it was."
        ) from error
    done = f"Packed {count} into {target}" + (", and removed their directories" if removes else "")
    tell_refused(done, packing.refused)
    click.echo(f"{done}.")


def _pack(packing: Packing, target: Path) -> None:
    """Write the archive; one that is there already has to have the same directories."""
    if target.exists():
        packing.compare(target)
        click.echo(f"{target} has them already.", err=True)
        return
    pack(packing.top, packing.names, target, packing.note())


def _remove(packing: Packing, target: Path) -> None:
    """Remove directories, each after it was compared with the archive once more."""
    packing.index = index_of(target)
    packing.compare(target)
    for name in packing.present():
        remove(packing.top, name)

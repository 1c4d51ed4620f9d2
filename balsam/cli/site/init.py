"""`balsam site init`: make a site in a new directory, or add what a database directory lacks to be one."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from balsam.cli.options import BalsamCommand
from balsam.cli.prompts import NoAnswerError
from balsam.cli.site.places import core_here
from balsam.exceptions import UsageError

if TYPE_CHECKING:
    from balsam.platform.machines import Machine


@click.command(
    cls=BalsamCommand,
    help="Make a site in a new directory.",
    examples=[
        "balsam site init -n tutorial ./tutorial",
        "balsam site init -c polaris -y ./runs",
    ],
)
@click.argument("site_path", metavar="PATH", type=click.Path(path_type=Path))
@click.option("-n", "--name", help="Name of the site (asked for; default: that of this host).")
@click.option("-c", "--config", metavar="MACHINE", help="Machine (asked for; see docs/machines.md).")
@click.option("--project", "projects", multiple=True, metavar="PROJECT", help="Project that may be charged.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing: take what is found here.")
def init(site_path: Path, name: str | None, config: str | None, projects: tuple[str, ...], yes: bool) -> None:
    """Ask what is not given, make the record and the directory, or nothing."""
    path = Path(os.path.abspath(site_path.expanduser()))
    is_database = (path / "server-info").is_file()
    if is_database:
        os.environ["BALSAM_DB_PATH"] = str(path)
    _check_path(path, is_database=is_database)
    core = core_here()
    machine = _machine(config, assume_default=yes)
    found = list(projects) or _projects(machine)
    if is_database:
        _complete_database(path, name, machine, found)
    else:
        _make(path, name or _ask_name(assume_default=yes), core, machine, found)
    click.echo(f"New Balsam site set up at {path}")


def _check_path(path: Path, *, is_database: bool) -> None:
    """Raise UsageError for a directory that cannot be made."""
    from balsam.config.site_dir import SITE_FILE

    if (path / SITE_FILE).exists():
        raise UsageError(f"{path} is a site already. `balsam site ls` lists the sites.")
    if path.exists() and not is_database:
        raise UsageError(f"{path} exists already: give the path of a new directory.")
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is no directory: make it first.")


def _complete_database(path: Path, name: str | None, machine: "Machine", projects: list[str]) -> None:
    """The database directory is the first site, and has its record: add the files."""
    from balsam.api.models import Site
    from balsam.config.site_dir import SiteDir, write_site_file
    from balsam.core.models.site import FIRST_SITE

    site = Site.objects.get(id=FIRST_SITE)
    fields = _write_files(path, machine, projects)
    for field, value in {**fields, **({"name": name} if name else {})}.items():
        setattr(site, field, value)
    site.save()
    write_site_file(SiteDir(path=path, site_id=site.id, database=str(path)))


def _make(path: Path, name: str, core: dict[str, str], machine: "Machine", projects: list[str]) -> None:
    """Make the directory and the record; take both back when something fails."""
    from balsam.api.models import Site
    from balsam.config.site_dir import SiteDir, write_site_file

    site: Site | None = None
    try:
        path.mkdir()
        record = _write_files(path, machine, projects)
        site = Site.objects.create(name, path, **record)
        write_site_file(SiteDir(path=path, site_id=site.id, **core))
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        if site is not None:
            site.delete()
        raise


def _write_files(path: Path, machine: "Machine", projects: list[str]) -> dict[str, Any]:
    """Add the files of a site, and return what its record has of the settings."""
    from balsam.config.site_builder import add_site_files
    from balsam.config.site_record import settings_record
    from balsam.config.site_settings import SETTINGS_FILE, load_site_settings

    add_site_files(path, machine, projects)
    return settings_record(load_site_settings(path / SETTINGS_FILE))


def _machine(config: str | None, *, assume_default: bool) -> "Machine":
    """Return the machine given, or chosen from the menu."""
    from balsam.platform.machines import KNOWN_MACHINES, load_machine

    default = load_machine("auto")
    if config or assume_default:
        return load_machine(config) if config else default
    machines = [load_machine(name) for name in KNOWN_MACHINES]
    click.echo("Select system:")
    for number, machine in enumerate(machines, 1):
        click.echo(f"{number:3}  {machine.name:<15} {machine.title}")
    while True:
        answer = _ask("Number, name or part of a title", default.name)
        if answer.isdecimal() and 1 <= int(answer) <= len(machines):
            return machines[int(answer) - 1]
        if answer in KNOWN_MACHINES:
            return load_machine(answer)
        titled = [machine for machine in machines if answer.lower() in machine.title.lower()]
        if len(titled) == 1:
            return titled[0]
        click.echo(f"There is no {answer!r} in the list.", err=True)


def _ask_name(*, assume_default: bool) -> str:
    host = os.uname().nodename.split(".")[0]
    return host if assume_default else _ask("Enter Site Name", host)


def _ask(question: str, default: str) -> str:
    """Ask for a line; raises NoAnswerError where input ends without one."""
    click.echo(f"{question} [{default}]: ", nl=False)
    sys.stdout.flush()
    answer = sys.stdin.readline() if sys.stdin else ""
    if not answer:
        click.echo("")
        raise NoAnswerError(
            "Nobody answered: the input has ended, so nothing was done.\n"
            "Give --name and --config, or --yes to take what is found here."
        )
    return answer.strip() or default


def _projects(machine: "Machine") -> list[str]:
    """Return the projects that the batch system tells of; none where any will do."""
    import getpass

    from balsam.lib.commands import run_command
    from balsam.platform.scheduler import load_scheduler

    adapter = load_scheduler(machine.scheduler)
    command = adapter.projects_command(getpass.getuser())
    if command is None or shutil.which(command.argv[0]) is None:
        return []
    return list(adapter.parse_projects(run_command(command)))

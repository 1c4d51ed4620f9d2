"""`balsam demo`: run the example of the user guide for real, in a database of its own."""

import json
import shlex
from pathlib import Path

import click

from balsam.cli import demo_app
from balsam.cli.demo_shell import DemoError, DemoShell, say
from balsam.cli.options import BalsamCommand
from balsam.exceptions import ConflictError, UsageError

#: In a directory that the demo has made, and may use again.
MARKER = ".balsam-demo"
_SHOWN_ROWS = 10


@click.command(
    cls=BalsamCommand,
    help="Run the example of the user guide in a database of its own.",
    examples=["balsam demo", "balsam demo ~/try-balsam --jobs 100"],
    epilog="Run it again to add more jobs to the same database.",
)
@click.argument("directory", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("balsam-demo"))
@click.option("--jobs", "count", type=click.IntRange(1, 100_000), default=10, help="Jobs (default: 10).")
def demo(directory: Path, count: int) -> None:
    """Make the database, write the application, add jobs, run them, and show what came out."""
    directory = directory.expanduser()
    claim_directory(directory)
    shell = DemoShell()
    typed = shlex.quote(str(directory))
    shell.run(f"balsam init {typed}")
    shell.run(f". balsamactivate {typed}", ["bash", "-c", '. balsamactivate "$0"', str(directory)])
    shell.environ["BALSAM_DB_PATH"] = str(directory.resolve())
    app = write_app(directory, shell.interpreter)
    shell.run(f"{shell.python} {shlex.quote(str(app))} {count}", own_python(shell, app, count))
    shell.run("balsam launcher --consume-all --job-mode=serial")
    show_results(shell)
    show_next_steps(shell, typed, app)


def claim_directory(directory: Path) -> None:
    """Make the directory, or take one the demo has made before; raises ConflictError for any other."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file.\nName a directory for the demo: `balsam demo DIR`.")
    try:
        if directory.is_dir() and any(directory.iterdir()) and not (directory / MARKER).exists():
            raise ConflictError(
                f"{directory} exists, and was not made by `balsam demo`; nothing in it was touched.\n"
                "Name another directory: `balsam demo DIR`."
            )
        directory.mkdir(exist_ok=True)
        (directory / MARKER).touch()
    except OSError as error:
        raise UsageError(
            f"Cannot use {directory} for the demo: {(error.strerror or str(error)).lower()}.\n"
            "Name a directory whose parent exists and is writable: `balsam demo DIR`."
        ) from error


def write_app(directory: Path, interpreter: str) -> Path:
    """Write the application; one that is there is kept, since it may have been tried things with."""
    path = directory / demo_app.FILE_NAME
    if path.exists():
        say(f"# {path} is there already, and is used as it is.")
        return path
    text = demo_app.app_text(interpreter)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    say(f"# Wrote {path}: {len(text.splitlines())} lines that define the application `square` and its jobs.")
    return path


def own_python(shell: DemoShell, app: Path, count: int) -> list[str]:
    """Return the command that runs the application's file by this Python."""
    return [*shlex.split(shell.python), str(app), str(count)]


def show_results(shell: DemoShell) -> None:
    """Show some of the squares; raises DemoError unless every job has finished with the right one."""
    listing = shell.read(
        ["balsam", "ls", "--wf", demo_app.WORKFLOW, "-o", "jsonl"],
        BALSAM_LS_FIELDS="data",
        BALSAM_LS_LIMIT="1000000",
    )
    rows = [json.loads(line) for line in listing.splitlines()]
    say(f"\n{'name':>12} | {'x':>6} | {'y':>10} | state")
    say("-" * 50)
    for row in rows[-_SHOWN_ROWS:]:
        data = row["data"]
        say(f"{row['name']:>12} | {data.get('x')!s:>6} | {data.get('y')!s:>10} | {row['state']}")
    if len(rows) > _SHOWN_ROWS:
        say(f"(and {len(rows) - _SHOWN_ROWS} more)")
    wrong = sum(not is_right(row["data"]) or row["state"] != "JOB_FINISHED" for row in rows)
    if wrong:
        raise DemoError(
            f"{wrong} of {len(rows)} jobs did not finish with y = x*x.\n"
            "`balsam ls --history`, in the database activated as above, says what became of each."
        )
    say(f"\nAll {len(rows)} jobs have finished, and each y is the square of its x.")


def is_right(data: dict[str, object]) -> bool:
    """Say whether a job has squared its number."""
    x = data.get("x")
    return isinstance(x, int) and data.get("y") == x * x


def show_next_steps(shell: DemoShell, directory: str, app: Path) -> None:
    """Say what to type to go on with this database, whose server is left running."""
    hint = shell.path_hint()
    lines = [
        *([hint] if hint else []),
        f". balsamactivate {directory}",
        "BALSAM_LS_FIELDS=data balsam ls --limit 5",
        f"{shell.python} {shlex.quote(str(app))} 100 && balsam launcher --consume-all --job-mode=serial",
        "balsam ls --by-states",
        "balsam server --stop",
    ]
    say("\nThe database is left running. To go on with it, type:\n")
    for line in lines:
        say(f"    {line}")

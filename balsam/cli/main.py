"""Entry point of `balsam`: finds the command, imports it, and turns errors into messages and exit codes.

Nothing but click is imported until a command is called, so that help and version come at once.
"""

import difflib
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

import balsam as package
from balsam.cli import errors
from balsam.cli.options import DEBUG, debug_option


@dataclass(frozen=True)
class Lazy:
    """Where a command is (``module:name``), and its help in one sentence."""

    path: str
    help: str


#: In the order of the help.
COMMANDS: dict[str, Lazy] = {
    "init": Lazy("balsam.cli.init:init", "Make a database, or bring one up to date."),
    "demo": Lazy("balsam.cli.demo:demo", "Run the example of the user guide in a database of its own."),
    "which": Lazy("balsam.cli.which:which", "Show the active database, or list the known ones."),
    "server": Lazy("balsam.cli.server:server", "Start, stop or inspect the server of the active database."),
    "register": Lazy("balsam.cli.logins.commands:register", "Make an account at a server."),
    "login": Lazy("balsam.cli.logins.commands:login", "Log in to a server."),
    "logout": Lazy("balsam.cli.logins.commands:logout", "End the login at the server."),
    "auth": Lazy("balsam.cli.logins.auth:auth", "Show the login and others of the account."),
    "remote": Lazy("balsam.cli.remote:remote", "Work with a database on another machine."),
    "app": Lazy("balsam.cli.app:app", "Define an application that jobs can run."),
    "job": Lazy("balsam.cli.job:job", "Add a job to the database."),
    "dep": Lazy("balsam.cli.dep:dep", "Make one job wait for another."),
    "mkchild": Lazy("balsam.cli.mkchild:mkchild", "Add a child of the job this runs in."),
    "ls": Lazy("balsam.cli.ls:ls", "List jobs, applications, workflows or queued launches."),
    "modify": Lazy("balsam.cli.modify:modify", "Change an attribute of a job or application."),
    "rm": Lazy("balsam.cli.rm:rm", "Delete jobs or applications from the database."),
    "kill": Lazy("balsam.cli.kill:kill", "Stop a job for good."),
    "killjob": Lazy("balsam.cli.kill:killjob", "Stop a job for good (same as kill)."),
    "site": Lazy("balsam.cli.site:site", "Make sites, and start and stop their agents."),
    "queue": Lazy("balsam.cli.queue:queue", "Ask for batch jobs at sites, list and end them."),
    "transfer": Lazy("balsam.cli.transfers:transfer", "See files that are moved for jobs, and help them on."),
    "launcher": Lazy("balsam.cli.launcher:launcher", "Run the jobs of the database on this allocation."),
    "submit-launch": Lazy(
        "balsam.cli.submit_launch:submit_launch", "Ask the scheduler for nodes, and run the jobs on them."
    ),
    "service": Lazy("balsam.cli.service:service", "Submit launches, and run hooks, in the background."),
    "log": Lazy("balsam.cli.log:log", "Follow the log files of the database."),
    "make_dummies": Lazy("balsam.cli.make_dummies:make_dummies", "Add jobs that do nothing, to try things."),
    "workdir": Lazy("balsam.cli.workdir:workdir", "Print the working directory of a job."),
    "selftest": Lazy(
        "balsam.cli.selftest:selftest", "Rehearse with fake batch systems, or check a real one."
    ),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is none of that name."""
        lazy = COMMANDS.get(cmd_name)
        if lazy is None:
            return None
        module, _, attribute = lazy.path.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; raises UsageError, with names that are close, if there is none."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = difflib.get_close_matches(name, COMMANDS)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise click.UsageError(f"No such command {name!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in COMMANDS.items()])


def show_version(ctx: click.Context, param: click.Parameter, is_asked: bool) -> None:
    """Print the version and end."""
    if is_asked:
        click.echo(f"balsam {package.__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="Describe runs, and have a launcher run them.",
    epilog="Each command has its own --help, with examples. Start with: balsam init DIR",
    params=[debug_option()],
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_version,
    help="Show the version and exit.",
)
@click.pass_context
def balsam(ctx: click.Context) -> None:
    """Show the help where no command is given."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code; whatever goes wrong has been told on stderr."""
    shared: dict[str, Any] = {}
    try:
        code = invoke(args, shared)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the one place that ends them all
        return errors.report(error, debug=DEBUG in shared)
    return code


def invoke(args: Sequence[str], shared: dict[str, Any]) -> int:
    """Run one command line; ``shared`` receives what its options tell all levels, even if it fails."""
    require_text(args)
    try:
        with balsam.make_context("balsam", list(args), obj=shared) as ctx:
            balsam.invoke(ctx)
    except click.exceptions.Exit as end:
        return end.exit_code
    return 0


def require_text(args: Sequence[str]) -> None:
    """Raise UsageError for an argument that is no text in the terminal's encoding."""
    for arg in args:
        try:
            arg.encode()
        except UnicodeEncodeError:
            raise click.UsageError(f"{arg!a} is not valid text in this terminal.") from None


def main() -> None:
    """Run the command line of this process and exit."""
    sys.exit(run(sys.argv[1:]))

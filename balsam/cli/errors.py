"""What an error that reaches the top of a command tells the user, and the exit code it ends with.

One list, most specific first. Django is looked at only when the command has imported it.
"""

import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from balsam.exceptions import BalsamError

TRACEBACK_VARIABLE = "BALSAM_CLI_TRACEBACK"
#: 128 + the number of the signal, as a shell reports it.
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_USAGE = 2
EXIT_UNREACHABLE = 6


@dataclass(frozen=True)
class Explanation:
    """Text for stderr ('' prints nothing) and the exit code."""

    text: str
    exit_code: int
    #: Show where it happened when the user asks for tracebacks.
    traceable: bool = True


@dataclass(frozen=True)
class Hook:
    """An explanation of the errors that ``matches``."""

    matches: Callable[[BaseException], bool]
    explain: Callable[[BaseException], Explanation]


def is_a(*classes: type[BaseException]) -> Callable[[BaseException], bool]:
    """Match instances of the classes."""
    return lambda error: isinstance(error, classes)


def is_django_error(name: str) -> Callable[[BaseException], bool]:
    """Match instances of a class of `django.db`, which is not imported for that."""

    def matches(error: BaseException) -> bool:
        django_db: Any = sys.modules.get("django.db")
        return django_db is not None and isinstance(error, getattr(django_db, name))

    return matches


def explain_click_error(error: BaseException) -> Explanation:
    """Say what is wrong with the command line, with click's own words."""
    assert isinstance(error, click.ClickException)
    error.show()
    return Explanation("", error.exit_code)


def explain_balsam_error(error: BaseException) -> Explanation:
    """Pass on a message written for the user."""
    assert isinstance(error, BalsamError)
    return Explanation(str(error), error.exit_code)


def explain_lost_database(error: BaseException) -> Explanation:
    """Say that the server does not answer, and what to look at."""
    return Explanation(
        f"The database does not answer: {first_line(error)}\n"
        "See `balsam server --status`; `balsam server --connect` starts it.",
        EXIT_UNREACHABLE,
    )


def explain_old_tables(error: BaseException) -> Explanation:
    """Say that the tables are not those of this version."""
    return Explanation(
        f"The database's tables do not fit this version of Balsam: {first_line(error)}\n"
        "Bring them up to date with `balsam init $BALSAM_DB_PATH`.",
        EXIT_UNREACHABLE,
    )


def explain_bad_value(error: BaseException) -> Explanation:
    """Pass on why a value cannot be stored."""
    return Explanation(f"A value cannot be stored: {first_line(error)}", EXIT_USAGE)


def explain_database_error(error: BaseException) -> Explanation:
    """Pass on what the server says about a refused statement."""
    return Explanation(f"The database refused this: {first_line(error)}", EXIT_UNREACHABLE)


def explain_unexpected_error(error: BaseException) -> Explanation:
    """Name an error nobody foresaw, and how to see where it comes from."""
    return Explanation(
        f"Unexpected error: {type(error).__name__}: {first_line(error)}\n"
        f"Run it again with --debug (or {TRACEBACK_VARIABLE}=1) to see where it comes from.",
        1,
    )


HOOKS: tuple[Hook, ...] = (
    Hook(is_a(click.ClickException), explain_click_error),
    Hook(is_a(click.Abort, KeyboardInterrupt), lambda error: Explanation("", EXIT_INTERRUPTED)),
    Hook(is_a(BrokenPipeError), lambda error: Explanation("", EXIT_BROKEN_PIPE, traceable=False)),
    Hook(is_a(BalsamError), explain_balsam_error),
    Hook(is_django_error("OperationalError"), explain_lost_database),
    Hook(is_django_error("InterfaceError"), explain_lost_database),
    Hook(is_django_error("DataError"), explain_bad_value),
    Hook(is_django_error("ProgrammingError"), explain_old_tables),
    Hook(is_django_error("Error"), explain_database_error),
    Hook(lambda error: True, explain_unexpected_error),
)


def report(error: BaseException, *, debug: bool = False) -> int:
    """Tell the user of ``error`` on stderr and return the exit code."""
    hook = next(hook for hook in HOOKS if hook.matches(error))
    explanation = hook.explain(error)
    if explanation.traceable and (debug or os.environ.get(TRACEBACK_VARIABLE, "") not in ("", "0")):
        traceback.print_exception(error, file=sys.stderr)
    if explanation.text:
        click.echo(explanation.text, err=True)
    if isinstance(error, BrokenPipeError):
        silence_stdout()
    return explanation.exit_code


def silence_stdout() -> None:
    """Let what is still in the buffer of a closed stdout go nowhere at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    os.close(devnull)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text."""
    return next(iter(str(error).strip().splitlines()), "no details given")

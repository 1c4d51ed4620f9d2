"""Options as users of argparse know them: unique prefixes, and options that take several words.

What is typed is rewritten to what click parses; click itself sees only full names and single values.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

DEBUG = "--debug"
#: Options that only their full name calls, since they are newer than the prefixes people type.
EXACT_OPTIONS = frozenset({DEBUG, "--memory-mb-per-node", "--list-users"})

F = TypeVar("F", bound=Callable[..., Any])
_NEGATIVE_NUMBER = re.compile(r"^-\d+(\.\d*)?$|^-\.\d+$")


class WordsOption(click.Option):
    """An option that takes all words up to the next option, and gives them joined by one blank."""

    def __init__(self, *args: Any, min_words: int = 0, **kwargs: Any) -> None:
        kwargs.setdefault("metavar", "WORD..." if min_words else "[WORD...]")
        kwargs.setdefault("default", "")
        super().__init__(*args, **kwargs)
        self.min_words = min_words


def words_option(*names: str, min_words: int = 0, **kwargs: Any) -> Callable[[F], F]:
    """Declare an option of several words; ``min_words`` 0 lets it stand without any."""
    return click.option(*names, cls=WordsOption, min_words=min_words, **kwargs)


class BalsamCommand(click.Command):
    """A command whose long options may be abbreviated to any unique prefix.

    ``examples`` are command lines shown before the options in the help.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings.setdefault("help_option_names", ["-h", "--help"])
        self.examples = tuple(examples)
        self.params.append(debug_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Rewrite prefixes and lists of words, then parse."""
        return super().parse_args(ctx, expand_options(args, long_options(self.get_params(ctx)), ctx))

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sentence, then the examples."""
        super().format_help_text(ctx, formatter)
        if self.examples:
            with formatter.section("Examples"):
                formatter.width, width = 10_000, formatter.width  # a command line is never wrapped
                for example in self.examples:
                    formatter.write_text(example)
                formatter.width = width


def debug_option() -> click.Option:
    """Make the option that asks for tracebacks, of every command."""

    def remember(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value and isinstance(ctx.obj, dict):
            ctx.obj[DEBUG] = True

    return click.Option(
        [DEBUG], is_flag=True, expose_value=False, callback=remember, help="Show tracebacks of errors."
    )


def long_options(params: Sequence[click.Parameter]) -> dict[str, click.Option]:
    """Map every ``--name`` of a command to its option."""
    options = [param for param in params if isinstance(param, click.Option)]
    return {
        name: option
        for option in options
        for name in (*option.opts, *option.secondary_opts)
        if name.startswith("--")
    }


def expand_options(args: Sequence[str], known: Mapping[str, click.Option], ctx: click.Context) -> list[str]:
    """Return ``args`` with full option names and with the words of a `WordsOption` as one value.

    A value that starts with ``-`` needs the form ``--option=value``, unless it is a negative number. Raises
    UsageError for an ambiguous prefix and for a missing value; leaves unknown options to click.
    """
    expanded: list[str] = []
    position = 0
    while position < len(args):
        token = args[position]
        position += 1
        if token == "--":
            return [*expanded, *args[position - 1 :]]
        typed, equals, value = token.partition("=")
        name = full_name(typed, known, ctx) if token.startswith("--") else None
        if name is None:
            expanded.append(token)
            continue
        option = known[name]
        if equals:
            expanded.append(f"{name}={value}")
        elif isinstance(option, WordsOption):
            words = leading_values(args[position:])
            position += len(words)
            require_words(option, name, len(words), ctx)
            expanded.append(f"{name}={' '.join(words)}")
        elif option.is_flag or option.count:
            expanded.append(name)
        else:
            if not leading_values(args[position : position + 1]):
                raise missing_value(name, ctx)
            expanded += [name, args[position]]
            position += 1
    return expanded


def full_name(typed: str, known: Mapping[str, click.Option], ctx: click.Context) -> str | None:
    """Find the option that ``typed`` abbreviates; ``_`` and ``-`` are the same. None if there is none.

    Raises UsageError, with the candidates, when several options start so.
    """
    if typed in known:
        return typed
    wanted = typed.replace("_", "-")
    matches = {
        name: option
        for name, option in known.items()
        if name not in EXACT_OPTIONS and name.replace("_", "-").startswith(wanted)
    }
    exact = [name for name in matches if name.replace("_", "-") == wanted]
    if exact:
        return exact[0]
    if len({id(option) for option in matches.values()}) > 1:
        raise click.UsageError(f"Option {typed} is ambiguous; it could be {', '.join(sorted(matches))}.", ctx)
    return next(iter(matches), None)


def leading_values(args: Sequence[str]) -> list[str]:
    """Return the first words that are no options."""
    values: list[str] = []
    for word in args:
        if word.startswith("-") and word != "-" and not _NEGATIVE_NUMBER.match(word):
            break
        values.append(word)
    return values


def require_words(option: WordsOption, name: str, count: int, ctx: click.Context) -> None:
    """Raise UsageError if an option that needs words has none."""
    if count < option.min_words:
        raise missing_value(name, ctx)


def missing_value(name: str, ctx: click.Context) -> click.UsageError:
    """Make the error for an option without its value."""
    return click.BadOptionUsage(
        name, f"Option {name} needs a value; one that starts with '-' is written {name}=-VALUE.", ctx
    )

"""Commands with two faces: a known verb is a command of the site generation, options are the older form."""

import difflib
import importlib
from collections.abc import Mapping
from typing import Any

import click

from balsam.cli.options import BalsamCommand

__all__ = ["VerbGroup", "VerbedCommand"]


def load_verb(path: str) -> click.Command:
    """Import the command at ``module:name``."""
    module, _, attribute = path.partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command


class VerbedCommand(BalsamCommand):
    """A command of the database generation which hands over to another when its first word is a verb.

    ``verbs`` names them: verb -> (where it is, its help).
    """

    def __init__(self, *args: Any, verbs: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.verbs = verbs

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Make the context of the verb, if there is one."""
        if args and not args[0].startswith("-"):
            word = args[0]
            if word in self.verbs:
                verb = load_verb(self.verbs[word][0])
                return verb.make_context(f"{info_name} {word}", args[1:], parent, **extra)
            near = difflib.get_close_matches(word, self.verbs)
            hint = f" Did you mean {' or '.join(near)}?" if near else f" There are: {', '.join(self.verbs)}."
            raise click.UsageError(f"No such command {f'{info_name} {word}'!r}.{hint}", parent)
        return super().make_context(info_name, args, parent, **extra)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs, then the options."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, help_text) for verb, (_, help_text) in self.verbs.items()])
        super().format_options(ctx, formatter)


class VerbGroup(VerbedCommand):
    """A command that has verbs only."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.no_args_is_help = True

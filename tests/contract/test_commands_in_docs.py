"""What the documentation says of commands: every line shown is understood, every option is described."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from balsam.cli.main import COMMANDS, balsam
from balsam.cli.verbs import load_verb

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(?:bash|console)\b[^\n]*\n(.*?)^```$", re.M | re.S)
GUIDE = ROOT / "docs" / "commands.md"
#: Options of every command, described once.
COMMON = {"--help", "--debug"}


def command_lines() -> Iterator[tuple[str, str]]:
    """Yield (document, line) for each call of `balsam` in a shell block."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = path.read_text() if path.exists() else ""
        for block in BLOCK.findall(text):
            for line in block.replace("\\\n", " ").splitlines():
                yield from ((path.name, part) for part in calls(line))


def calls(line: str) -> Iterator[str]:
    """Yield the calls of `balsam` in a line of shell, without what surrounds them."""
    lexer = shlex.shlex(line.removeprefix("$ "), posix=True, punctuation_chars="|&;()<>")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("|&;()<>"):
            while words and ("=" in words[0] or words[0] in ("watch", "timeout", "yes", "time")):
                words.pop(0)
            if words and words[0] == "balsam":
                yield shlex.join(words)
            words = []
        else:
            words.append(word)


@pytest.mark.parametrize(("document", "line"), sorted(set(command_lines())))
def test_documented_command_line_is_understood(document: str, line: str):
    args = shlex.split(line)[1:]
    if not args or args[0].startswith("-"):
        return
    assert args[0] in COMMANDS, f"{document}: {line}"
    command = balsam.get_command(click.Context(balsam), args[0])
    assert command is not None
    try:
        command.make_context(args[0], args[1:])
    except click.exceptions.Exit:
        pass  # --help and the like end here
    except click.UsageError as error:
        pytest.fail(f"{document}: {line}: {error.format_message()}")


def with_verbs() -> list[tuple[str, click.Command]]:
    """Every command, and every verb below the name of its command."""
    found = []
    for name in COMMANDS:
        command = balsam.get_command(click.Context(balsam), name)
        assert command is not None
        verbs = getattr(command, "verbs", {})
        found += [(name, one) for one in (command, *(load_verb(path) for path, _ in verbs.values()))]
    return found


@pytest.mark.parametrize(("name", "command"), with_verbs())
def test_every_option_of_the_command_is_in_the_guide(name: str, command: click.Command):
    section = re.search(rf"^## .*\bbalsam (?:\w+, )*{name}\b.*?(?=^## |\Z)", GUIDE.read_text(), re.M | re.S)
    assert section, f"docs/commands.md has no section about balsam {name}"
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    missing = [
        o.opts for o in options if not any(n in section[0] for n in o.opts) and not COMMON & set(o.opts)
    ]
    assert not missing


@pytest.mark.parametrize(("name", "command"), with_verbs())
def test_examples_of_the_help_are_understood(name: str, command: click.Command):
    for example in getattr(command, "examples", ()):
        for line in calls(example):
            test_documented_command_line_is_understood(f"help of {name}", line)

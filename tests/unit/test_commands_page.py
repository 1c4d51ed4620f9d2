"""The guide to the commands tells of no option that is not there."""

import re
from pathlib import Path

import click
import pytest

from balsam.cli.main import COMMANDS, balsam
from balsam.cli.verbs import load_verb

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
#: Of every command; told once, at the top.
SHARED = {"--debug", "--help", "-h"}


def section(command: str) -> str:
    """Text below the title of a command."""
    _, found, rest = PAGE.partition(f"\n## balsam {command}\n")
    assert found, f"docs/commands.md has no section about balsam {command}"
    return rest.split("\n## ")[0]


def option_names(command: str) -> set[str]:
    """Visible options of a command and its verbs."""
    found = balsam.get_command(click.Context(balsam), command)
    assert found is not None
    verbs = [load_verb(path) for path, _ in getattr(found, "verbs", {}).values()]
    params = [param for command in (found, *verbs) for param in command.params]
    options = [p for p in params if isinstance(p, click.Option) and not p.hidden]
    return {name for option in options for name in option.opts} - SHARED


@pytest.mark.parametrize("command", COMMANDS)
def test_guide_tells_of_no_other_options(command: str):
    first_cells = re.findall(r"^\| (`-.*?) \|", section(command), re.M)
    told = {code.split()[0] for cell in first_cells for code in re.findall(r"`([^`\n]+)`", cell)}
    assert told <= option_names(command) | SHARED

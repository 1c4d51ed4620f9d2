"""The guide to the commands tells of no option that is not there."""

import re
from pathlib import Path

import click
import pytest

from balsam.cli.main import COMMANDS, balsam

PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
#: Of every command; told once, at the top.
SHARED = {"--debug", "--help", "-h"}


def section(command: str) -> str:
    """Text below the title of a command."""
    _, found, rest = PAGE.partition(f"\n## balsam {command}\n")
    assert found, f"docs/commands.md has no section about balsam {command}"
    return rest.split("\n## ")[0]


def option_names(command: str) -> set[str]:
    """Visible options of a command."""
    found = balsam.get_command(click.Context(balsam), command)
    assert found is not None
    options = [p for p in found.params if isinstance(p, click.Option) and not p.hidden]
    return {name for option in options for name in option.opts} - SHARED


@pytest.mark.parametrize("command", COMMANDS)
def test_guide_tells_of_no_other_options(command: str):
    first_cells = re.findall(r"^\| (`-.*?) \|", section(command), re.M)
    told = {code.split()[0] for cell in first_cells for code in re.findall(r"`([^`\n]+)`", cell)}
    assert told <= option_names(command) | SHARED

"""The entry point: help, version, dispatch."""

import re
import subprocess
import sys

import click
import pytest

from balsam import __version__
from balsam.cli.main import COMMANDS, balsam, run


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]):
    assert run([]) == 0
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version_names_the_program(capsys: pytest.CaptureFixture[str], flag: str):
    assert run([flag]) == 0
    assert capsys.readouterr().out == f"balsam {__version__}\n"


def test_unknown_command_suggests_a_close_one(capsys: pytest.CaptureFixture[str]):
    assert run(["moddify"]) == 2
    assert "No such command 'moddify'. Did you mean modify?" in capsys.readouterr().err


def test_help_is_one_sentence_of_60_characters():
    for name, lazy in COMMANDS.items():
        assert re.fullmatch(r"[A-Z].{1,58}\.", lazy.help), f"{name}: {lazy.help}"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_says_of_itself_what_the_list_of_commands_says(name: str):
    command = balsam.get_command(click.Context(balsam), name)
    assert command is not None
    assert (command.name, command.help) == (name, COMMANDS[name].help)


def test_help_and_version_import_neither_django_nor_rich():
    code = (
        "import sys\n"
        "from balsam.cli.main import run\n"
        "assert run(['--help']) == run(['--version']) == run([]) == 0\n"
        "heavy = {'django', 'rich', 'psycopg2', 'tabulate'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_argument_that_is_no_text_is_a_usage_error(capsys: pytest.CaptureFixture[str]):
    assert run(["ls", "--name", "\udcff"]) == 2
    assert "not valid text" in capsys.readouterr().err

"""Command templates: parameters are words, the rest is the user's shell."""

import subprocess

import pytest

from balsam.exceptions import UsageError
from balsam.lib.command_templates import parameters_of, render_command


def run(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "value", ["world", "two words", "$HOME", "`id`", "it's", 'a"b', "a;b", "a\nb", "ü", ""]
)
def test_parameter_is_one_word_whatever_it_holds(value: str):
    assert run(render_command("printf %s {{ name }}", {"name": value})).stdout == value


def test_the_template_itself_is_live_shell():
    command = render_command("X=7; echo {{ a }} $X && echo end", {"a": "1"})
    assert run(command).stdout == "1 7\nend\n"


@pytest.mark.parametrize("template", ["false && echo never", "false | cat", "echo x; exit 1"])
def test_exit_status_is_that_of_the_whole(template: str):
    assert run(render_command(template, {})).returncode == 1


def test_missing_parameter_is_named():
    with pytest.raises(UsageError, match="'name' is undefined"):
        render_command("echo {{ name }}", {})


def test_names_of_a_template_are_found():
    assert parameters_of("{{ b }} {{ a }} $C {{ a }}") == ["a", "b"]


@pytest.mark.parametrize("template", ["{{ a", "{% for %}", "{{ a b }}"])
def test_template_that_cannot_be_read_is_an_error(template: str):
    with pytest.raises(UsageError, match="cannot be read"):
        parameters_of(template)


def test_template_reaches_nothing_of_python():
    with pytest.raises(UsageError):
        render_command("{{ a.__class__.__mro__ }}{{ ().__class__.__base__.__subclasses__() }}", {"a": "x"})

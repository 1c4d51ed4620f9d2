"""Abbreviated options and options of several words."""

import click
from click.testing import CliRunner, Result

from balsam.cli.options import BalsamCommand, words_option


@click.command(cls=BalsamCommand, examples=["try-it --name x"])
@click.option("--name", required=True)
@click.option("--num-nodes", type=int, default=1)
@click.option("--node-packing-count", type=int, default=1)
@words_option("--args")
@words_option("--description", min_words=1)
@click.option("--post_handle_error", is_flag=True)
@click.option("--env", multiple=True)
@click.argument("rest", nargs=-1)
def try_it(**values: object) -> None:
    """Show what was understood."""
    for name, value in sorted(values.items()):
        click.echo(f"{name}={value!r}")


def run(*args: str) -> Result:
    return CliRunner().invoke(try_it, list(args))


def values(*args: str) -> dict[str, str]:
    result = run(*args)
    assert result.exit_code == 0, result.output
    return dict(line.split("=", 1) for line in result.output.splitlines())


def test_unique_prefix_is_accepted():
    assert values("--nam", "x", "--num=3")["num_nodes"] == "3"


def test_ambiguous_prefix_lists_the_candidates():
    result = run("--name", "x", "--n", "3")
    assert result.exit_code == 2
    assert "--n is ambiguous; it could be --name, --node-packing-count, --num-nodes" in result.output


def test_unknown_option_suggests_close_names():
    result = run("--naem", "x")
    assert result.exit_code == 2
    assert "--name" in result.output.splitlines()[-1]


def test_words_up_to_the_next_option_are_joined_by_blanks():
    assert values("--args", "a", "b  c", "-", "--name", "x")["args"] == "'a b  c -'"


def test_words_option_may_stand_without_words():
    assert values("--args", "--name", "x")["args"] == "''"


def test_words_option_that_needs_one_refuses_none():
    result = run("--description", "--name", "x")
    assert result.exit_code == 2
    assert "--description needs a value" in result.output


def test_value_starting_with_a_dash_needs_the_equals_form():
    assert values("--args=-v --fast", "--name", "x")["args"] == "'-v --fast'"
    result = run("--name", "--args", "y")
    assert result.exit_code == 2
    assert "--name=-VALUE" in result.output


def test_negative_number_is_a_value():
    assert values("--name", "x", "--num-nodes", "-3", "--args", "-1.5", "2")["args"] == "'-1.5 2'"


def test_dash_and_underscore_are_the_same():
    assert values("--name", "x", "--post-handle-error")["post_handle_error"] == "True"
    assert values("--name", "x", "--post_h")["post_handle_error"] == "True"


def test_repeated_option_is_collected():
    assert values("--name", "x", "--env", "A=1", "--env=B=2=3")["env"] == "('A=1', 'B=2=3')"


def test_everything_after_two_dashes_is_left_alone():
    assert values("--name", "x", "--", "--num", "4")["rest"] == "('--num', '4')"


def test_debug_is_not_abbreviated():
    assert values("--name", "x", "--de", "some words")["description"] == "'some words'"


def test_help_shows_examples_before_options():
    text = run("--help").output
    assert text.index("try-it --name x") < text.index("--num-nodes")

"""The options that `balsam job` and `balsam mkchild` share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from balsam.cli.options import words_option
from balsam.exceptions import UsageError

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--name", required=True, help="Name; several jobs may have the same."),
    click.option("--workflow", required=True, help="Group of jobs it belongs to."),
    click.option("--application", required=True, help="Name of the application to run."),
    words_option("--args", help="Arguments for the application; --args=-x for a leading dash."),
    click.option("--threads-per-rank", type=int, default=1, show_default=True, help="Threads of each rank."),
    click.option(
        "--threads-per-core",
        type=int,
        default=1,
        show_default=True,
        help="Hardware threads used of each core.",
    ),
    words_option("--description", help="What it is, in some words."),
    click.option("--post_handle_error", is_flag=True, help="Let the postprocess handle errors."),
    click.option("--post_handle_timeout", is_flag=True, help="Let the postprocess handle time-outs."),
    click.option("--disable_auto_timeout_retry", is_flag=True, help="Fail at a time-out, do not restart."),
    words_option("--input-files", default="*", help="Patterns of files to link from parents (default: *)."),
    click.option("--url-in", default="", help="Where to copy input from."),
    click.option("--url-out", default="", help="Where to copy output to."),
    words_option("--stage-out-files", help="Patterns of files to copy to --url-out."),
    click.option("--env", multiple=True, metavar="VAR=VALUE", help="Environment variable; repeatable."),
)

#: Option -> column, where the names differ.
_COLUMNS = {
    "post_handle_error": "post_error_handler",
    "post_handle_timeout": "post_timeout_handler",
    "url_in": "stage_in_url",
    "url_out": "stage_out_url",
    "env": "environ_vars",
}


def job_options(function: F) -> F:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def job_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a job for the values of its options; raises UsageError for a bad --env."""
    fields = {_COLUMNS.get(name, name): value for name, value in options.items()}
    fields["auto_timeout_retry"] = not fields.pop("disable_auto_timeout_retry")
    fields["environ_vars"] = variables(fields["environ_vars"])
    return fields


def variables(words: Sequence[str]) -> dict[str, str]:
    """Return the variables of words like ``VAR=VALUE``; raises UsageError for others."""
    for word in words:
        if not word.partition("=")[1] or word.startswith("="):
            raise UsageError(f"--env takes VAR=VALUE, not {word!r}.")
    return dict(word.split("=", 1) for word in words)

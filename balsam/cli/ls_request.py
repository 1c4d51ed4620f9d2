"""What `balsam ls` was asked for, and the lines every listing ends with."""

from dataclasses import dataclass

import click

from balsam.cli.display import OutputFormat

FIELDS_VARIABLE = "BALSAM_LS_FIELDS"
LIMIT_VARIABLE = "BALSAM_LS_LIMIT"
DEFAULT_LIMIT = 5000
MAX_LIMIT = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of `balsam ls`."""

    name: str = ""
    row_id: str = ""
    state: str = ""
    workflow: str = ""
    #: The workflow is the whole name.
    is_exact: bool = False
    history: bool = False
    by_states: bool = False
    verbose: bool = False
    tree: bool = False
    limit: int = DEFAULT_LIMIT
    output: OutputFormat = OutputFormat.TABLE
    extra_fields: tuple[str, ...] = ()

    @property
    def is_for_people(self) -> bool:
        """Text rather than data is asked for."""
        return self.output is OutputFormat.TABLE


def show_left_out(request: Request, count: str, things: str) -> None:
    """Say how many rows are not shown, if any; as a message where the listing is data."""
    if count not in ("", "0"):
        click.echo(
            f"({count} more {things} not shown... --limit or {LIMIT_VARIABLE} shows more)",
            err=not request.is_for_people,
        )


def show_nothing_found(request: Request, sentence: str) -> bool:
    """Say that nothing matches, where people read it; True if that was said."""
    if request.is_for_people:
        click.echo(sentence)
    return request.is_for_people


def basenames(command: object) -> str:
    """Return the words of a command line without their directories."""
    return " ".join(word.rstrip("/").rpartition("/")[2] for word in str(command).split())

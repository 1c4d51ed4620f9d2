"""How rows are shown: the table people know, and forms for programs.

The JSON forms are an interface: their names and types change only with :data:`JSON_VERSION`. Times are
ISO-8601 in UTC.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

import click

JSON_VERSION = 1

F = TypeVar("F", bound=Callable[..., Any])
Row = Mapping[str, object]


class OutputFormat(StrEnum):
    """The forms of a listing."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    IDS = "ids"


@dataclass(frozen=True)
class Column:
    """A column: the key of its value in a row, how a table cell shows that value, and a table's own title."""

    name: str
    cell: Callable[[Any], str] = str
    title: str = ""


def output_option(function: F) -> F:
    """Add `-o/--output`, also called `--format`, to a command that lists; it arrives as an OutputFormat."""
    return click.option(
        "-o",
        "--output",
        "--format",
        "output",
        type=click.Choice(list(OutputFormat), case_sensitive=False),
        default=OutputFormat.TABLE,
        help="Form of the listing (default: table).",
    )(function)


def display(rows: Iterable[Row], columns: Sequence[Column], output: OutputFormat) -> None:
    """Print ``rows`` on stdout. For `ids`, the first column is the id."""
    for line in render(list(rows), columns, output):
        click.echo(line)


def render(rows: Sequence[Row], columns: Sequence[Column], output: OutputFormat) -> Iterable[str]:
    """Return the lines of a listing."""
    match output:
        case OutputFormat.TABLE:
            return table_lines(rows, columns)
        case OutputFormat.JSON:
            document = {"version": JSON_VERSION, "rows": [plain_row(row, columns) for row in rows]}
            return [json.dumps(document, ensure_ascii=False, indent=1)]
        case OutputFormat.JSONL:
            return [json.dumps(plain_row(row, columns), ensure_ascii=False) for row in rows]
        case OutputFormat.CSV:
            return csv_lines(rows, columns)
        case OutputFormat.IDS:
            return [str(row[columns[0].name]) for row in rows]


def table_lines(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """Lay out a table: header cells to the right, body cells to the left, a rule under the header."""
    titles = [column.title or column.name for column in columns]
    body = [[one_line(column.cell(row[column.name])) for column in columns] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(titles, *body, strict=True)]
    header = " | ".join(title.rjust(width) for title, width in zip(titles, widths, strict=True))
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) for cells in body
    ]
    return [header, "-" * len(header), *lines]


def csv_lines(rows: Sequence[Row], columns: Sequence[Column]) -> list[str]:
    """Return a header and the rows as comma separated values; objects are JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(column.name for column in columns)
    for row in rows:
        values = (plain(row[column.name]) for column in columns)
        writer.writerow(json.dumps(v) if isinstance(v, dict | list | bool) else v for v in values)
    return text.getvalue().splitlines()


def plain_row(row: Row, columns: Sequence[Column]) -> dict[str, Any]:
    """Return the row with values that JSON knows."""
    return {column.name: plain(row[column.name]) for column in columns}


def plain(value: object) -> Any:
    """Return a value as JSON knows it: times in ISO-8601 UTC, other objects as their text."""
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)


def one_line(text: str) -> str:
    """Show control characters, which would break a table, as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

"""The hot statements, one commented file each, read once."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, cast

from django.db import connection


@cache
def statement(name: str) -> str:
    """Return the text of ``<name>.sql``."""
    return (files(__package__) / f"{name}.sql").read_text()


def array(values: Sequence[object]) -> str:
    """Return a list as the text of a PostgreSQL array.

    The driver would write it as an expression with a node for every element, which takes the server longer to
    read than the rows take to change.
    """
    if values and isinstance(values[0], str):
        return _text_array(cast("Sequence[str]", values))
    return "{" + ",".join(map(str, values)).replace("None", "NULL") + "}"


def _text_array(values: Sequence[str]) -> str:
    inside = '","'.join(values)
    if "\\" in inside or inside.count('"') != 2 * (len(values) - 1):
        inside = '","'.join(value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return '{"' + inside + '"}'


def _prepared(params: dict[str, Any]) -> dict[str, Any]:
    return {name: array(value) if isinstance(value, list) else value for name, value in params.items()}


def fetch(name: str, **params: Any) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement(name), _prepared(params))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def run(name: str, **params: Any) -> int:
    """Run a statement that returns no rows; return how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement(name), _prepared(params))
        return int(cursor.rowcount)

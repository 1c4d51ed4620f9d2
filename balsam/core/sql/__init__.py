"""The hot statements, one commented file each, read once."""

from functools import cache
from importlib.resources import files
from typing import Any

from django.db import connection


@cache
def statement(name: str) -> str:
    """Return the text of ``<name>.sql``."""
    return (files(__package__) / f"{name}.sql").read_text()


def fetch(name: str, **params: Any) -> list[tuple[Any, ...]]:
    """Run a statement and return its rows."""
    with connection.cursor() as cursor:
        cursor.execute(statement(name), params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def run(name: str, **params: Any) -> int:
    """Run a statement that returns no rows; return how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement(name), params)
        return int(cursor.rowcount)

"""The page about the data model names every column, with its default."""

import re
from pathlib import Path

import pytest
from django.db import models

from balsam.core.models import ApplicationDefinition, BalsamJob, QueuedLaunch

PAGE = (Path(__file__).parents[2] / "docs" / "data-model.md").read_text()
#: What the page says instead of a value where the program or the database makes one.
MADE = {
    "job_id": "random",
    "number": "next number",
    "created": "now",
    "last_update": "now",
    "id": "next number",
}


def rows_below(title: str) -> dict[str, list[str]]:
    """Field -> the other cells of its row, of the first table below a title."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\| `(\w+)` \|(.*)\|$", section, re.M)
    return {name: [cell.strip() for cell in cells.split(" | ")] for name, cells in lines}


def told_default(field: "models.Field[object, object]") -> str:
    if field.name in MADE:
        return MADE[field.name]
    if not field.has_default():
        return "none" if field.null else "required"
    return f"`{field.get_default()!r}`"


@pytest.mark.parametrize(
    ("title", "model"),
    [("Jobs", BalsamJob), ("Applications", ApplicationDefinition), ("Launches", QueuedLaunch)],
)
def test_page_has_every_column_with_its_default(title: str, model: type[models.Model]):
    rows = rows_below(title)
    fields = model._meta.concrete_fields
    assert list(rows) == [field.name for field in fields]
    told = {name: cells[1] for name, cells in rows.items()}
    assert told == {field.name: told_default(field) for field in fields}


def test_page_tells_which_columns_only_the_core_writes():
    from balsam.core.models.job import CORE_COLUMNS

    writers = {name: cells[2] for name, cells in rows_below("Jobs").items()}
    kept = {name for name, writer in writers.items() if writer != "user"}
    assert kept == {"session" if name == "session_id" else name for name in CORE_COLUMNS} | {"job_id"}

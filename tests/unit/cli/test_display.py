"""Rows as tables and as data."""

import json
import uuid
from datetime import UTC, datetime

from balsam.cli.display import Column, OutputFormat, render

ID = uuid.UUID("12345678-1234-1234-1234-123456789abc")
ROWS = [
    {"job_id": ID, "name": "a", "data": {"x": 1}, "created": datetime(2026, 1, 2, 3, 4, 5, 600, UTC)},
    {"job_id": ID, "name": "longer,name", "data": {}, "created": datetime(2026, 1, 2, tzinfo=UTC)},
]
COLUMNS = [Column("job_id", lambda value: str(value)[:8]), Column("name"), Column("data")]


def test_table_has_header_to_the_right_and_cells_to_the_left():
    assert list(render(ROWS, COLUMNS, OutputFormat.TABLE)) == [
        "  job_id |        name |     data",
        "---------------------------------",
        "12345678 | a           | {'x': 1}",
        "12345678 | longer,name | {}      ",
    ]


def test_table_of_no_rows_is_its_header():
    assert list(render([], COLUMNS, OutputFormat.TABLE)) == ["job_id | name | data", "-" * 20]


def test_control_characters_do_not_break_a_table():
    lines = list(render([{"name": "a\nb\x1b[31m é"}], [Column("name")], OutputFormat.TABLE))
    assert lines[2] == r"a\nb\x1b[31m é"


def test_json_is_versioned_and_keeps_types_and_times_in_utc():
    columns = [*COLUMNS, Column("created")]
    document = json.loads("\n".join(render(ROWS, columns, OutputFormat.JSON)))
    assert document["version"] == 1
    assert document["rows"][0] == {
        "job_id": str(ID),
        "name": "a",
        "data": {"x": 1},
        "created": "2026-01-02T03:04:05.000600Z",
    }


def test_jsonl_is_one_object_a_line():
    lines = list(render(ROWS, COLUMNS, OutputFormat.JSONL))
    assert [json.loads(line)["name"] for line in lines] == ["a", "longer,name"]


def test_csv_quotes_and_has_a_header():
    assert list(render(ROWS, COLUMNS[1:], OutputFormat.CSV)) == [
        "name,data",
        'a,"{""x"": 1}"',
        '"longer,name",{}',
    ]


def test_ids_are_the_first_column_in_full():
    assert list(render(ROWS, COLUMNS, OutputFormat.IDS)) == [str(ID), str(ID)]

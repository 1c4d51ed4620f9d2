"""Queries as they are sent: short ones in the address, long ones as JSON or in parts."""

from datetime import UTC, datetime

from balsam.client import wire_query
from balsam.schemas.resources import Query

MANY = list(range(10**6, 10**6 + 5_000))


def test_a_query_becomes_an_address():
    query = Query(
        filters={"tags": {"a": "b"}, "state": ["FAILED", "RUNNING"], "pending_file_cleanup": True},
        order_by="-id",
        limit=5,
        offset=2,
        after="xyz",
        counted=False,
    )
    assert wire_query.params(query) == [
        ("tags", "a:b"), ("state", "FAILED"), ("state", "RUNNING"), ("pending_file_cleanup", "true"),
        ("ordering", "-id"), ("limit", "5"), ("offset", "2"), ("after", "xyz"), ("counted", "false"),
    ]  # fmt: skip


def test_a_query_becomes_json_without_what_is_not_said():
    query = Query(filters={"id": {1}, "last_update_after": datetime(2026, 1, 1, tzinfo=UTC)}, limit=0)
    assert wire_query.body(query) == {
        "filters": {"id": [1], "last_update_after": "2026-01-01T00:00:00+00:00"},
        "limit": 0,
        "offset": 0,
        "counted": True,
    }


def test_parts_of_a_long_query_hold_every_value_once_and_are_short():
    query = Query(filters={"id": MANY, "state": ["FAILED"]})
    parts = list(wire_query.parts("job", query))
    assert len(parts) > 1 and not any(wire_query.is_long(wire_query.params(part)) for part in parts)
    assert [number for part in parts for number in part.filters["id"]] == MANY
    assert {tuple(part.filters["state"]) for part in parts} == {("FAILED",)}


def test_what_must_hold_all_at_once_is_not_divided():
    query = Query(filters={"tags": [f"key{n}:{'x' * 50}" for n in range(200)]})
    assert list(wire_query.parts("job", query)) == [query]

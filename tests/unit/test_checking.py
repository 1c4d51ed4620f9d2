"""What is sent is checked against the table of resources."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from balsam.exceptions import UnknownFieldError, UsageError
from balsam.schemas.checking import check_create, check_query, check_update
from balsam.schemas.resources import RESOURCES, Query

JOB = RESOURCES["job"]
MINIMAL = {"workdir": "a/b", "app_id": 1}


def test_defaults_complete_a_new_object_and_are_its_own():
    first, second = (check_create(JOB, MINIMAL) for _ in range(2))
    assert first["num_nodes"] == 1 and first["wall_time_min"] == 0 and first["tags"] == {}
    first["tags"]["x"] = "y"
    assert second["tags"] == {}


def test_misspelt_field_is_refused_with_the_right_one():
    with pytest.raises(
        UnknownFieldError, match=r"'num_node' is nothing a job is made with. Did you mean 'num_nodes'"
    ):
        check_create(JOB, {**MINIMAL, "num_node": 2})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_nodes", 0),
        ("num_nodes", "two"),
        ("num_nodes", 1.5),
        ("num_nodes", True),
        ("gpus_per_rank", -1),
        ("gpus_per_rank", float("nan")),
        ("workdir", "x" * 257),
        ("workdir", 5),
        ("workdir", "a\0b"),
        ("tags", ["a"]),
        ("parameters", "a=1"),
        ("parent_ids", "12"),
        ("parent_ids", 5),
    ],
)
def test_impossible_value_is_refused_with_its_field(field: str, value: Any):
    with pytest.raises(UsageError, match=field):
        check_create(JOB, {**MINIMAL, field: value})


def test_missing_field_is_named():
    with pytest.raises(UsageError, match="needs app_id"):
        check_create(JOB, {"workdir": "x"})


def test_tags_become_texts_and_parents_are_sorted():
    checked = check_create(JOB, {**MINIMAL, "tags": {"n": 5}, "parent_ids": {3, 1}})
    assert checked["tags"] == {"n": "5"} and checked["parent_ids"] == [1, 3]


def test_what_is_fixed_cannot_be_changed():
    with pytest.raises(UnknownFieldError, match="'app_id' is nothing a job is changed in"):
        check_update(JOB, {"app_id": 2})
    assert check_update(JOB, {"num_nodes": 2, "return_code": None}) == {"num_nodes": 2, "return_code": None}


def test_times_are_read_as_utc():
    moment = datetime(2026, 1, 2, 3, tzinfo=UTC)
    for told in (
        moment.replace(tzinfo=None),
        moment.isoformat(),
        moment.astimezone(timezone(timedelta(hours=5))),
    ):
        query = check_query(RESOURCES["event"], Query(filters={"timestamp_after": told}))
        assert query.filters == {"timestamp_after": moment}


def test_filters_take_one_or_many_and_tags_as_dict():
    query = check_query(JOB, Query(filters={"state": "FAILED", "id": {4}, "tags": {"a": 1}}))
    assert query.filters == {"state": ["FAILED"], "id": [4], "tags": ["a:1"]}


@pytest.mark.parametrize(
    "query",
    [
        Query(filters={"state": "FINISHED"}),
        Query(filters={"stat": "FAILED"}),
        Query(order_by="tags"),
        Query(limit=-1),
        Query(offset=-1),
    ],
)
def test_query_that_makes_no_sense_is_refused(query: Query):
    with pytest.raises(UsageError):
        check_query(JOB, query)


def test_states_are_suggested():
    with pytest.raises(UsageError, match="did you mean JOB_FINISHED"):
        check_query(JOB, Query(filters={"state": "FINISHED"}))


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=RESOURCES)
def test_orders_and_verbs_of_the_table_hang_together(resource: Any):
    assert resource.order_by.lstrip("-") in resource.fields
    assert set(resource.orders) <= set(resource.fields)
    writable = {name for name, field in resource.fields.items() if field.update}
    assert bool(writable) == ("update" in resource.verbs)

"""Jobs know what was changed in them; made fast or by Django's own constructor, they are the same."""

import copy
import pickle
from collections.abc import Iterator

import pytest
from django.db.models.signals import post_init

from balsam.core.models import BalsamJob
from balsam.exceptions import UnknownFieldError


@pytest.fixture
def slow_way() -> Iterator[list[object]]:
    """Listen to Django's signals, which makes it construct objects its own way."""
    seen: list[object] = []

    def listen(instance: object, **kwargs: object) -> None:
        seen.append(instance)

    post_init.connect(listen)
    yield seen
    post_init.disconnect(listen)


def saved(**fields: object) -> BalsamJob:
    """A job as if it had been read."""
    job = BalsamJob(**fields)
    job._state.adding = False
    job.remember_saved()
    return job


def columns(job: BalsamJob) -> dict[str, object]:
    return {name: value for name, value in job.__dict__.items() if name[0] != "_"}


def test_both_ways_of_making_a_job_give_the_same(slow_way: list[object]):
    fields = {"name": "a", "num_nodes": 2, "data": {"x": 1}}
    slow = BalsamJob(**fields)
    post_init.receivers = []
    fast = BalsamJob(**fields, job_id=slow.job_id)

    assert slow_way == [slow]
    assert columns(slow) == columns(fast)
    assert slow.changed_columns() == fast.changed_columns() == {"data"}


def test_a_job_that_was_read_has_no_changes():
    assert saved(data={"x": [1]}, environ_vars={"A": "1"}).changed_columns() == set()


@pytest.mark.parametrize(
    ("name", "value"), [("args", "-x"), ("num_nodes", 2), ("data", {"y": 1}), ("state", "FAILED")]
)
def test_an_assigned_column_is_changed(name: str, value: object):
    job = saved(data={"x": 1})
    setattr(job, name, value)

    assert job.changed_columns() == {name}


def test_a_column_set_back_is_unchanged():
    job = saved(args="a")
    job.args = "b"
    assert job.original("args") == "a"
    job.args = "a"

    assert job.changed_columns() == set()


@pytest.mark.parametrize(
    "change", ["job.data['x'].append(2)", "job.data.clear()", "job.data.update(y=object())"]
)
def test_data_changed_in_place_is_changed(change: str):
    job = saved(data={"x": [1]})
    exec(change)

    assert job.changed_columns() == {"data"}


def test_remembering_some_columns_leaves_the_others_changed():
    job = saved(data={"x": 1})
    job.args, job.num_nodes, job.data["x"] = "-x", 2, 2
    job.remember_columns(["args", "data"])

    assert job.changed_columns() == {"num_nodes"}


def test_a_relation_counts_as_its_column():
    job = saved()
    job.queued_launch_id = 5

    assert job.changed_columns() == {"queued_launch_id"}


def test_copies_and_pickles_keep_their_changes():
    job = saved(args="a")
    job.args = "b"
    for twin in (copy.copy(job), copy.deepcopy(job), pickle.loads(pickle.dumps(job))):
        assert twin.changed_columns() == {"args"}
        twin.num_nodes = 3
        assert job.changed_columns() == {"args"}


def test_positional_values_and_properties_are_taken_the_slow_way():
    job = BalsamJob(name="x", parents=[])
    assert job.name == "x" and job.pk == job.job_id
    with pytest.raises(UnknownFieldError, match="Did you mean num_nodes"):
        BalsamJob(num_node=3)

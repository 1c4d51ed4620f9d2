"""Values from the wild: stored as they are, or refused with the column named, not an error of the driver."""

import json
import math
import sys
import uuid

import pytest
from django.db import models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.core.models.job import CORE_COLUMNS
from balsam.exceptions import UsageError
from tests.jobs import add_app, add_job, state_of

pytestmark = pytest.mark.usefixtures("db")

TEXT_COLUMNS = [
    field.name
    for field in BalsamJob._meta.concrete_fields
    if isinstance(field, models.TextField) and field.name not in ("lock", "on_parent_failure")
]
NUMBER_COLUMNS = [
    field.name
    for field in BalsamJob._meta.concrete_fields
    if isinstance(field, models.IntegerField) and field.name not in CORE_COLUMNS
]
HOSTILE = [
    "'; DROP TABLE core_balsamjob; --",
    '"quoted" \\ back\\slash \\N \\.',
    "tab\tnewline\nreturn\r\n\x0b\x1b[31m",
    "%s %(name)s {0} {name} $(rm -rf /) `id`",
    "\u00e4\u20ac\U0001f680\u202e\u0000".replace("\0", ""),
    "\\.",
    " ",
    "x" * 100_000,
]
IMPOSSIBLE = [2**31, -(2**31) - 1, 10**400, 10**5000, 1.5, "many", math.nan, math.inf, None, [1]]
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e15, 1e15) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=10,
)
FUZZ = settings(max_examples=30, suppress_health_check=list(HealthCheck))


def stored(job: BalsamJob) -> BalsamJob:
    return BalsamJob.objects.get(pk=job.pk)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_is_kept_in_every_column(text: str):
    add_app()
    job = BalsamJob(**dict.fromkeys(TEXT_COLUMNS, text))
    job.save()
    assert {name: getattr(stored(job), name) for name in TEXT_COLUMNS} == dict.fromkeys(TEXT_COLUMNS, text)

    other = add_job()
    for name in TEXT_COLUMNS:
        setattr(other, name, text)
    other.save()
    assert {name: getattr(stored(other), name) for name in TEXT_COLUMNS} == dict.fromkeys(TEXT_COLUMNS, text)
    assert BalsamJob.objects.filter(name=text, workflow__contains=text).count() == 2


@pytest.mark.parametrize(
    ("text", "reason"), [("a\0b", "NUL"), ("a\udcffb", "no UTF-8 text"), (None, "must have a value")]
)
def test_text_that_cannot_be_stored_is_refused(text: str | None, reason: str):
    job = add_job()
    for column in TEXT_COLUMNS:
        with pytest.raises(UsageError, match=f"{column} of job .*{reason}"):
            BalsamJob(**{column: text}).save()
        changed = stored(job)
        setattr(changed, column, text)
        with pytest.raises(UsageError, match=f"{column} of job .*{reason}"):
            changed.save()
    assert state_of(job) == "PREPROCESSED"


@pytest.mark.parametrize("number", IMPOSSIBLE, ids=range(len(IMPOSSIBLE)))
def test_impossible_numbers_are_refused(number: object):
    job = add_job()
    for column in NUMBER_COLUMNS:
        with pytest.raises(UsageError, match=rf"{column} of job .*[^.]\.$"):
            BalsamJob(**{column: number}).save()
        changed = stored(job)
        setattr(changed, column, number)
        with pytest.raises(UsageError, match=f"{column} of job"):
            changed.save()
        with pytest.raises(UsageError, match=f"{column} of the jobs"):
            BalsamJob.objects.update(**{column: number})


@pytest.mark.parametrize(("column", "number"), [("num_nodes", 0), ("wall_time_minutes", -1)])
def test_too_small_numbers_are_refused(column: str, number: int):
    with pytest.raises(UsageError, match=f"cannot be {number}: it must be {number + 1} or more"):
        BalsamJob(**{column: number}).save()


@pytest.mark.parametrize("number", [-0.5, math.nan, math.inf, "x"])
def test_impossible_shares_of_a_gpu_are_refused(number: object):
    with pytest.raises(UsageError, match="gpus_per_rank of job"):
        BalsamJob(gpus_per_rank=number).save()


def test_numbers_given_as_text_are_read():
    job = add_job(num_nodes="4", wall_time_minutes=2.0, gpus_per_rank=1)

    assert (stored(job).num_nodes, stored(job).wall_time_minutes, stored(job).gpus_per_rank) == (4, 2, 1.0)


@pytest.mark.parametrize("job_id", ["x", 5.5, [1]])
def test_what_is_no_id_is_refused(job_id: object):
    with pytest.raises(UsageError, match="job_id of job"):
        BalsamJob(job_id=job_id).save()


def test_an_id_given_as_text_is_read():
    job_id = uuid.uuid4()
    BalsamJob(job_id=str(job_id), application=["odd"]).save()

    assert BalsamJob.objects.get(pk=job_id).application == "['odd']"


def test_an_unknown_policy_is_refused():
    with pytest.raises(UsageError, match="must be one of fail, ignore, hold"):
        add_job(on_parent_failure="panic")


def nested(depth: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(depth):
        value = {"x": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        {"x": math.nan},
        {"x": math.inf},
        {"x": "\0"},
        {"\0": 1},
        {"x": "\ud800"},
        {"x": object()},
        {"x": {1, 2}},
        {(1, 2): 3},
        nested(sys.getrecursionlimit() * 2),
    ],
    ids=range(9),
)
def test_data_that_is_no_json_is_refused(value: object):
    with pytest.raises(UsageError, match="data of job"):
        BalsamJob(data=value).save()
    job = add_job()
    job.data = value
    with pytest.raises(UsageError, match="data of job"):
        job.save()


@pytest.mark.parametrize(
    "value",
    [
        {"x": "a\\u0000b"},
        {"x": "\\\\u0000"},
        {"x": 10**100, "y": -(10**30)},
        {"x": "\U0001f680", "": None},
        [1, 2, {"a": []}],
        "text",
        {"x": "y" * 1_000_000},
    ],
    ids=range(7),
)
def test_any_json_is_kept(value: object):
    job = BalsamJob(data=value)
    job.save()
    assert stored(job).data == value
    other = add_job()
    other.data = value
    other.save()
    assert stored(other).data == value


@FUZZ
@given(text=texts, data=json_values, environ=st.dictionaries(st.from_regex(r"\A[A-Z_]+\Z"), texts))
def test_whatever_is_stored_is_read_back(text: str, data: object, environ: dict[str, str]):
    job = BalsamJob(name=text, args=text, data={"value": data}, environ_vars=environ)
    job.save()
    read = stored(job)

    assert (read.name, read.args, read.environ_vars) == (text, text, environ)
    assert read.data == json.loads(json.dumps({"value": data}))
    assert job.changed_columns() == read.changed_columns() == set()


@FUZZ
@given(text=st.text(), number=st.integers(), share=st.floats(), data=json_values | st.binary())
def test_whatever_cannot_be_stored_is_a_usage_error(text: str, number: int, share: float, data: object):
    values = {"description": text, "priority": number, "gpus_per_rank": share, "data": {"value": data}}
    try:
        BalsamJob(**values).save()
        BalsamJob.objects.filter(description=text).update(**values)
    except UsageError as error:
        assert "cannot be" in str(error)


@pytest.mark.parametrize("text", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
def test_applications_keep_any_text(text: str):
    ApplicationDefinition.objects.create(name=text, executable=text, description=text)

    assert ApplicationDefinition.objects.get(name=text).executable == text
    job = add_job(application=text, workflow=text)
    assert job.state == "PREPROCESSED"
    assert text.split()[:1] == job.app_cmd.split()[:1]


def test_queries_take_hostile_text_as_text():
    add_job(name="safe")
    for text in HOSTILE:
        assert not BalsamJob.objects.filter(name=text).exists()
    assert BalsamJob.objects.count() == 1

"""Calls of Python applications and their outcomes, as they pass between processes."""

import json

import pytest

from balsam.schemas.jobs import AppCode, JobSpec
from balsam.schemas.python_calls import call_name, call_text, outcome_path, outcome_text, read_outcome
from balsam.schemas.resources import SERIALIZED_LIMIT


def test_outcome_comes_back() -> None:
    assert read_outcome(outcome_text(value="abc").encode()) == ("abc", "")
    assert read_outcome(outcome_text(exception="x" * SERIALIZED_LIMIT).encode()) == (
        "",
        "x" * SERIALIZED_LIMIT,
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b'{"value": "a"}',
        b'{"value": "a", "exception": 1}',
        b'{"value": "\\u0000", "exception": ""}',
        b'{"value": "\\ud800", "exception": ""}',
        json.dumps({"value": "x" * (SERIALIZED_LIMIT + 1), "exception": ""}).encode(),
        b'{"app": {}, "record": {}}',
        b"[" * 100_000,
    ],
)
def test_whatever_is_none_is_none(data: bytes) -> None:
    assert read_outcome(data) == ("", "")


def test_files_of_each_attempt_have_names_of_their_own() -> None:
    spec = JobSpec(job_id="j", name="n", attempt=2, command="", workdir="/w", record={"id": 1})
    assert call_name(spec) == ".balsam/j.2.call"
    assert outcome_path("/w/.balsam/j.2.call") == "/w/.balsam/j.2.outcome"
    app = AppCode(app_id=1, version=3, name="A", site_id=1)
    assert json.loads(call_text(app, spec))["record"] == {"id": 1}

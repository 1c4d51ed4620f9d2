"""One table of operations: the functions of the core, the client and the messages follow it."""

import inspect
import re
import typing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import balsam.client.client
from balsam.core import operations
from balsam.exceptions import UsageError
from balsam.schemas import codec
from balsam.schemas.batch_jobs import BatchJobObservation
from balsam.schemas.jobs import JobReport, JobSpec, ParentDir, Step, StepSpec
from balsam.schemas.operations import OPERATIONS
from balsam.schemas.sessions import ClaimRequest, Outlook
from balsam.states import BatchJobEnd, BatchJobState
from balsam.states import JobState as S


def test_every_operation_but_those_on_resources_has_messages():
    assert set(operations.OPERATIONS) - set(OPERATIONS) == {
        name for name in operations.OPERATIONS if name.startswith("resources.")
    }
    assert set(OPERATIONS) < set(operations.OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_function_takes_and_returns_what_the_table_says(name: str):
    function = operations.OPERATIONS[name].function
    hints = typing.get_type_hints(function)
    taken = [argument for argument in inspect.signature(function).parameters if argument != "sites"]
    told = OPERATIONS[name].arguments
    assert taken[: len(told)] == [argument[0] for argument in told]
    defaults = {n: p.default for n, p in inspect.signature(function).parameters.items()}
    assert all(defaults[argument] is not inspect.Parameter.empty for argument in taken[len(told) :])
    assert {argument[0]: argument[1] for argument in told} == {a[0]: hints[a[0]] for a in told}
    assert hints["return"] == (type(None) if OPERATIONS[name].reply is None else OPERATIONS[name].reply)


def test_client_calls_each_of_them_and_no_other():
    source = Path(balsam.client.client.__file__).read_text()
    assert set(re.findall(r'"([a-z_]+\.[a-z_]+)"', source)) == set(OPERATIONS)


@pytest.mark.parametrize(
    "name, args",
    [
        ("jobs.claim", (ClaimRequest(session_id=3, limit=5, tags={"a": "b"}, exclude=("x",)),)),
        ("jobs.claim", (ClaimRequest(session_id=3, limit=5, max_wall_time_min=1.5, site_id=7),)),
        ("jobs.report", (3, [JobReport(job_id="j", attempt=1, steps=(Step(S.RUNNING, 0.5, 'é"\n'),))])),
        (
            "batch_jobs.observe",
            (
                [
                    BatchJobObservation(
                        scheduler="slurm",
                        scheduler_id="1",
                        state=BatchJobState.FINISHED,
                        ended=datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
                        end=BatchJobEnd.TIMEOUT,
                    )
                ],
                7,
            ),
        ),
        ("sessions.close", (3, "over")),
    ],
)
def test_arguments_arrive_as_they_were_sent(name: str, args: tuple[Any, ...]):
    arrived = codec.decode_arguments(name, codec.encode_arguments(name, args, {}))
    assert list(arrived.values())[: len(args)] == list(args)


@pytest.mark.parametrize(
    "name, value",
    [
        ("jobs.claim", [JobSpec(job_id="j", name="n", attempt=1, command="c", workdir="/w")]),
        (
            "steps.claim",
            [
                StepSpec(
                    job_id="j",
                    name="n",
                    state=S.READY,
                    attempt=0,
                    workdir="/w",
                    parents=(ParentDir("p", "/p"),),
                )
            ],
        ),
        ("jobs.outlook", Outlook(1, 2, 3, 4, 5, too_long=2)),
        ("services.current", None),
        ("sessions.heartbeat", None),
    ],
)
def test_replies_arrive_as_they_were_sent(name: str, value: Any):
    assert codec.decode_reply(name, codec.encode_reply(value)) == value


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"session_id": "x", "reason": ""}', b"\xff", b"null"])
def test_what_cannot_be_meant_is_a_usage_error(body: bytes):
    with pytest.raises(UsageError, match=r"sessions\.close"):
        codec.decode_arguments("sessions.close", body)


def test_fields_of_a_newer_version_are_left_out():
    assert codec.decode_arguments("sessions.heartbeat", b'{"session_id": 1, "new": 2}') == {"session_id": 1}

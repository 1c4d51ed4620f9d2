"""Which state follows without work, for every combination of facts that matters."""

import itertools

import pytest

from balsam.core.lifecycle import Facts, next_state, settle
from balsam.states import END_STATES, TRANSITIONS, may_follow
from balsam.states import JobState as S


def settled(state: S, **facts: object) -> list[S]:
    return [after for after, _ in settle(state, Facts(**facts))]  # type: ignore[arg-type]


def test_a_plain_job_goes_through_in_two_steps():
    assert settled(S.CREATED) == [S.PREPROCESSED]
    assert settled(S.RUN_DONE) == [S.JOB_FINISHED]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"pending_parents": 1}, S.AWAITING_PARENTS),
        ({"pending_parents": 1, "wait_for_parents": False}, S.PREPROCESSED),
        ({"pending_parents": 1, "failed_parents": 1}, S.FAILED),
        ({"transfers_in": True}, S.READY),
        ({"has_preprocess": True}, S.STAGED_IN),
        ({"transfers_in": True, "has_preprocess": True}, S.READY),
        ({"app_known": False}, S.READY),
    ],
)
def test_a_new_job_stays_where_work_begins(facts: dict[str, object], expected: S):
    assert settled(S.CREATED, **facts)[-1] is expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"has_postprocess": True}, []),
        ({"stages_out": True}, [S.POSTPROCESSED]),
        ({"has_postprocess": True, "stages_out": True}, []),
    ],
)
def test_a_run_that_is_done_stays_where_work_begins(facts: dict[str, object], expected: list[S]):
    assert settled(S.RUN_DONE, **facts) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, S.FAILED),
        ({"post_error_handler": True}, S.FAILED),
        ({"post_error_handler": True, "has_postprocess": True}, S.RUN_ERROR),
        ({"errors": 1, "max_error_retries": 1}, S.RESTART_READY),
        ({"errors": 2, "max_error_retries": 1}, S.FAILED),
    ],
)
def test_after_an_error(facts: dict[str, object], expected: S):
    assert [S.RUN_ERROR, *settled(S.RUN_ERROR, **{"errors": 1, **facts})][-1] is expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, S.RESTART_READY),
        ({"auto_timeout_retry": False}, S.FAILED),
        ({"timeouts": 26}, S.FAILED),
        ({"post_timeout_handler": True}, S.RESTART_READY),
        ({"post_timeout_handler": True, "has_postprocess": True}, S.RUN_TIMEOUT),
        ({"post_timeout_handler": True, "auto_timeout_retry": False}, S.FAILED),
    ],
)
def test_after_a_timeout(facts: dict[str, object], expected: S):
    assert [S.RUN_TIMEOUT, *settled(S.RUN_TIMEOUT, **facts)][-1] is expected


def all_facts() -> list[Facts]:
    flags = (
        "app_known",
        "has_preprocess",
        "has_postprocess",
        "transfers_in",
        "stages_out",
        "wait_for_parents",
    )
    handlers = ("post_error_handler", "post_timeout_handler", "auto_timeout_retry")
    return [
        Facts(**dict(zip((*flags, *handlers), bits, strict=True)), pending_parents=parents)
        for bits in itertools.product((True, False), repeat=9)
        for parents in (0, 1)
    ]


@pytest.mark.parametrize("state", list(S))
def test_every_step_is_in_the_table_and_none_is_endless(state: S):
    for facts in all_facts():
        came_from = state
        for after, _ in settle(state, facts):
            assert may_follow(came_from, after), f"{came_from} to {after} with {facts}"
            came_from = after
        assert next_state(came_from, facts) is None


@pytest.mark.parametrize("state", END_STATES)
def test_nothing_follows_an_end(state: S):
    assert TRANSITIONS[state] == ()
    assert not any(may_follow(state, after) for after in S)


def test_every_state_can_be_reached():
    reached = {S.CREATED}
    while more := {after for state in reached for after in S if may_follow(state, after)} - reached:
        reached |= more
    assert reached == set(S)

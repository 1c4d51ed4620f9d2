"""Launches that are planned: where to, of what shape, and when none is."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balsam.agent.planning import PAD_MIN, Plan, make_plan
from balsam.agent.shapes import Shape, Work, pack
from balsam.config.queue_policy import Band, QueueRule
from balsam.schemas.batch_jobs import BatchJobInfo
from balsam.schemas.batch_limits import ASKED_QUEUE
from balsam.states import BatchJobState
from tests.unit.agent.batch_infos import batch_info, queue

ONE = Shape(1, 1, 1, 10)
PACKED = Shape(1, 1, 8, 10)
WIDE = Shape(4, 8, 1, 30)
THETA = queue("default", (128, 255, 30, 180), (256, 383, 30, 360), (802, 4392, 30, 1440), max_queued=20)


def plan(
    ready: dict[Shape, int],
    soon: dict[Shape, int] | None = None,
    rules: Sequence[QueueRule] = (queue(),),
    live: Sequence[BatchJobInfo] = (),
    **keywords: Any,
) -> Plan:
    work = Work(dict(ready), dict(soon or {}))
    return make_plan(work, rules, live, scheduler="local", project="p", **keywords)


def shapes(made: Plan) -> list[tuple[str, int, int, str]]:
    return [(r.queue, r.num_nodes, r.wall_time_min, r.job_mode) for r in made.requests]


@pytest.mark.parametrize(
    ("ready", "soon", "expected"),
    [
        pytest.param({ONE: 1}, {}, (1, 15, "serial"), id="one job and the pad"),
        pytest.param({ONE: 10}, {}, (10, 15, "serial"), id="side by side"),
        pytest.param({ONE: 40}, {}, (16, 35, "serial"), id="three rounds on the widest band"),
        pytest.param({ONE: 4000}, {}, (16, 60, "serial"), id="no longer than the band"),
        pytest.param({PACKED: 16}, {}, (2, 15, "serial"), id="packed jobs share nodes"),
        pytest.param({WIDE: 1}, {}, (4, 35, "mpi"), id="several ranks need mpi"),
        pytest.param({WIDE: 1, ONE: 2}, {}, (6, 35, "mpi"), id="mixed work is for mpi"),
        pytest.param({ONE: 1}, {ONE: 99}, (10, 60, "serial"), id="what follows counts half way"),
        pytest.param({}, {ONE: 99}, None, id="nothing can run yet"),
        pytest.param({}, {}, None, id="no work"),
    ],
)
def test_shape_follows_the_work(
    ready: dict[Shape, int], soon: dict[Shape, int], expected: tuple[Any, ...] | None
):
    assert shapes(plan(ready, soon)) == ([("q", *expected)] if expected else [])


def test_shape_is_lifted_into_the_band():
    assert shapes(plan({ONE: 1}, rules=[THETA])) == [("default", 128, 30, "serial")]
    assert shapes(plan({Shape(200, 200, 1, 100): 1}, rules=[THETA])) == [("default", 200, 105, "mpi")]


def test_long_work_goes_where_it_may_last():
    assert shapes(plan({Shape(300, 300, 1, 1000): 1}, rules=[THETA])) == [("default", 802, 1005, "mpi")]


def test_smaller_launch_is_preferred_where_both_do_all():
    rules = [THETA, queue("debug")]
    assert shapes(plan({ONE: 3}, rules=rules)) == [("debug", 3, 15, "serial")]


def test_closed_queue_gets_nothing():
    closed = [queue("a", submit_jobs=False), queue("b", max_queued=0)]
    made = plan({ONE: 3}, rules=closed)
    assert not made.requests
    assert [state.is_open for state in made.queues] == [False, False]
    assert made.unfit == [
        "3 jobs of 1 node for 10 min: no queue is open (submit-jobs = on, and max-queued above 0)"
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"from_balsam": False},
        {"state": BatchJobState.PENDING_SUBMISSION},
        {"state": BatchJobState.PENDING_DELETION},
        {"started_min": 59, "num_nodes": 1},
        {"queue": "a,q", "from_balsam": False},
        {"queue": "routed", "optional_params": {ASKED_QUEUE: "q"}, "wall_time_min": 1},
    ],
)
def test_everything_of_the_users_in_a_queue_counts(other: dict[str, Any]):
    made = plan({ONE: 30}, live=[batch_info(**other)])
    assert not made.requests
    assert made.queues[0].live == 1
    assert plan({ONE: 30}, live=[batch_info(**{**other, "queue": "else", "optional_params": {}})]).requests


def test_more_work_makes_more_launches_up_to_the_limit():
    made = plan({ONE: 4000}, rules=[queue(max_queued=3)], live=[batch_info(from_balsam=False)])
    assert shapes(made) == [("q", 16, 60, "serial")] * 2
    assert made.requests[0].optional_params == {ASKED_QUEUE: "q"}
    assert made.uncovered == 4000 - 2 * 80


def test_serial_launch_follows_when_the_parallel_work_is_done_with():
    made = plan({WIDE: 4, ONE: 200}, rules=[queue("q", (1, 16, 0, 35), max_queued=4)])
    assert {request.job_mode for request in made.requests} == {"mpi", "serial"}


@pytest.mark.parametrize(
    ("live", "left"),
    [
        pytest.param({}, 0, id="a queued one does all"),
        pytest.param({"started_min": 20}, 0, id="a running one in the time left"),
        pytest.param({"started_min": 45}, 6, id="with time for a single round"),
        pytest.param({"started_min": 55}, 10, id="too late"),
        pytest.param({"state": BatchJobState.PENDING_DELETION}, 10, id="about to be cancelled"),
        pytest.param({"from_balsam": False}, 10, id="not Balsam's"),
        pytest.param({"num_nodes": 1, "wall_time_min": 45}, 6, id="a narrow one"),
        pytest.param({"job_mode": "serial"}, 0, id="serial for serial jobs"),
    ],
)
def test_work_that_live_launches_will_do_is_not_planned_again(live: dict[str, Any], left: int):
    made = plan({ONE: 10}, live=[batch_info(**live)], rules=[queue("other")])
    assert made.covered == 10 - left
    assert bool(made.requests) == bool(left)


def test_serial_launch_does_not_do_parallel_jobs():
    live = [batch_info(job_mode="serial", num_nodes=16)]
    assert shapes(plan({WIDE: 1}, live=live, rules=[queue("other")])) == [("other", 4, 35, "mpi")]


def test_launch_with_a_filter_does_only_what_that_lets_by():
    live = [batch_info(workflow="a", num_nodes=16)]
    made = plan({ONE: 10}, live=live, rules=[queue("other")], work_of={"a": Work({ONE: 4})})
    assert made.covered == 4
    assert shapes(made) == [("other", 6, 15, "serial")]


def test_queue_that_is_held_back_gets_nothing_and_says_why():
    made = plan({ONE: 3}, rules=[queue("a"), queue("b")], held_back={"a": "because"})
    assert shapes(made) == [("b", 3, 15, "serial")]
    assert made.queues[0].note == "because"


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (Shape(17, 17, 1, 1), "no open queue has a band of more than 16 nodes"),
        (Shape(2, 2, 1, 56), "60 min is the most, of which a launch needs 5"),
    ],
)
def test_jobs_that_no_launch_can_run_are_told_with_the_reason(shape: Shape, reason: str):
    made = plan({shape: 2}, {shape: 1, ONE: 1})
    assert not made.requests
    assert len(made.unfit) == 1
    assert made.unfit[0].startswith(f"3 jobs of {shape.num_nodes} nodes for {shape.minutes} min: ")
    assert reason in made.unfit[0]


# -- properties --------------------------------------------------------------------------------------

SHAPES = st.builds(Shape, st.integers(1, 40), st.integers(1, 4), st.just(1), st.integers(0, 90)) | st.builds(
    Shape, st.just(1), st.just(1), st.integers(1, 64), st.integers(0, 90)
)
COUNTS = st.dictionaries(SHAPES, st.integers(1, 300), max_size=6)
BANDS = st.builds(
    lambda low, more, short, longer: Band(low, low + more, short, short + longer),
    *(st.integers(1, 30), st.integers(0, 30), st.integers(0, 60), st.integers(1, 120)),
)
RULES = st.lists(
    st.builds(
        QueueRule,
        st.sampled_from("abc"),
        st.booleans(),
        st.integers(0, 4),
        st.lists(BANDS, min_size=1, max_size=3).map(tuple),
    ),
    max_size=3,
    unique_by=lambda rule: rule.name,
)
LIVE = st.lists(
    st.builds(
        batch_info,
        queue=st.sampled_from(["a", "b", "c", "a,b", "x"]),
        num_nodes=st.integers(1, 40),
        wall_time_min=st.integers(1, 90),
        from_balsam=st.booleans(),
        job_mode=st.sampled_from(["mpi", "serial"]),
        state=st.sampled_from([BatchJobState.QUEUED, BatchJobState.PENDING_SUBMISSION]),
    ),
    max_size=6,
)


@settings(max_examples=300)
@given(COUNTS, COUNTS, RULES, LIVE)
def test_plans_keep_to_the_policy(
    ready: dict[Shape, int], soon: dict[Shape, int], rules: list[QueueRule], live: list[BatchJobInfo]
):
    made = plan(ready, soon, rules, live)
    by_name = {rule.name: rule for rule in rules}
    for request in made.requests:
        rule = by_name[request.queue]
        assert rule.is_open
        assert any(
            band.min_nodes <= request.num_nodes <= band.max_nodes
            and band.min_time_min <= request.wall_time_min <= band.max_time_min
            for band in rule.bands
        )
        assert request.wall_time_min >= PAD_MIN
    for rule in rules:
        queued = sum(rule.name in info.queue.split(",") for info in live)
        asked = sum(request.queue == rule.name for request in made.requests)
        assert not asked or queued + asked <= rule.max_queued
    assert made.covered + made.uncovered <= sum(ready.values()) + sum(soon.values())


@settings(max_examples=100)
@given(COUNTS, RULES)
def test_all_work_that_fits_is_done_in_the_end(work: dict[Shape, int], rules: list[QueueRule]):
    """Each launch does what a launcher of its shape can; the next plan is for the rest."""
    rest = Work(dict(work))
    while (made := plan(rest.ready, rules=rules)).requests:
        before = rest.num_jobs
        for request in made.requests:
            fitting = rest.only(s for s in rest.shapes() if s.is_serial or request.job_mode == "mpi")
            done = pack(fitting.ready, request.num_nodes, request.wall_time_min - PAD_MIN)
            rest.remove(done.counts, {})
        assert rest.num_jobs < before, "a launch that does nothing would be asked for again and again"
    bands = [band for rule in rules if rule.is_open for band in rule.bands]
    left = [
        s
        for s in rest.ready
        if any(s.num_nodes <= b.max_nodes and s.minutes + PAD_MIN <= b.max_time_min for b in bands)
    ]
    assert not left
    assert len(made.unfit) == len(rest.ready)


@given(COUNTS, RULES)
def test_what_was_asked_for_is_not_asked_for_again(work: dict[Shape, int], rules: list[QueueRule]):
    first = plan(work, rules=rules)
    live = [
        batch_info(queue="x", num_nodes=r.num_nodes, wall_time_min=r.wall_time_min, job_mode=r.job_mode)
        for r in first.requests
    ]
    needed = math.fsum(shape.area(count) for shape, count in work.items())
    room = math.fsum(info.num_nodes * (info.wall_time_min - PAD_MIN) for info in live)
    assert len(plan(work, rules=rules, live=live).requests) <= len(first.requests)
    if len(first.requests) == 1 and not first.uncovered:
        assert not plan(work, rules=rules, live=live).requests
        assert room >= needed

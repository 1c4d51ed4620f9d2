from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balsam.launcher.pending import PATIENCE, PendingQueue
from balsam.launcher.placement import Allocation, Placement
from balsam.launcher.shapes import Shape
from balsam.platform.nodes import Node
from balsam.schemas.jobs import JobSpec
from tests.unit.launcher.jobspecs import job

DAY = 86_400.0


def nodes(number: int = 1, cpus: int = 4) -> list[Node]:
    return [Node(f"n{at}", tuple(range(cpus)), memory_mb=1000) for at in range(number)]


def queue_of(*jobs: JobSpec) -> PendingQueue:
    queue = PendingQueue()
    queue.add(jobs)
    return queue


def ids(jobs: Sequence[JobSpec | tuple[JobSpec, Placement]]) -> str:
    return " ".join(entry.job_id if isinstance(entry, JobSpec) else entry[0].job_id for entry in jobs)


class TestOrder:
    def test_jobs_start_in_the_order_given(self) -> None:
        queue = queue_of(*[job(name, packing=2) for name in "abc"])
        assert ids(queue.starts(Allocation(nodes()), DAY)) == "a b"
        assert ids(list(queue)) == "c"

    def test_order_holds_between_jobs_of_different_shape(self) -> None:
        shapes = [job("a", packing=4), job("b", packing=8), job("c", packing=4), job("d", packing=8)]
        assert ids(queue_of(*shapes).starts(Allocation(nodes()), DAY)) == "a b c d"

    def test_higher_priority_goes_first(self) -> None:
        queue = queue_of(job("a"), job("b", priority=5), job("c", priority=-5), job("d", priority=5))
        assert ids(list(queue)) == "b d a c"
        assert ids(queue.starts(Allocation(nodes(4)), DAY)) == "b d a c"

    def test_at_most_the_limit_start(self) -> None:
        queue = queue_of(*[job(name) for name in "abc"])
        assert ids(queue.starts(Allocation(nodes(3)), DAY, limit=2)) == "a b"
        assert queue.starts(Allocation(nodes(3)), DAY, limit=0) == []
        assert ids(list(queue)) == "c"


class TestTakingOut:
    def test_removed_job_does_not_start(self) -> None:
        queue = queue_of(*[job(name) for name in "abc"])
        removed = queue.remove("a")
        assert removed is not None and removed.job_id == "a"
        assert queue.remove("a") is None
        assert len(queue) == 2
        assert ids(queue.starts(Allocation(nodes(3)), DAY)) == "b c"

    def test_last_of_its_kind_may_be_removed_and_added_again(self) -> None:
        queue = queue_of(job("a"))
        queue.remove("a")
        queue.add([job("a")])
        allocation = Allocation(nodes(2))
        assert ids(queue.starts(allocation, DAY)) == "a"
        assert queue.starts(allocation, DAY) == []

    def test_job_added_again_replaces_the_former_and_goes_to_the_end(self) -> None:
        queue = queue_of(job("a", wall_time_min=1), job("b"), job("a", wall_time_min=7))
        assert len(queue) == 2
        started = queue.starts(Allocation(nodes(3)), DAY)
        assert [(spec.job_id, spec.wall_time_min) for spec, _ in started] == [("b", 1), ("a", 7)]

    def test_drained_queue_is_empty_and_usable(self) -> None:
        queue = queue_of(job("a"), job("b", priority=1))
        assert ids(queue.drain()) == "b a"
        assert len(queue) == 0
        queue.add([job("c")])
        assert ids(queue.starts(Allocation(nodes(3)), DAY)) == "c"


class TestTime:
    def test_job_that_cannot_finish_lets_shorter_ones_of_its_shape_pass(self) -> None:
        queue = queue_of(job("long", wall_time_min=60), job("short", wall_time_min=1))
        assert ids(queue.starts(Allocation(nodes(2)), 600)) == "short"
        assert ids(list(queue)) == "long"

    def test_jobs_that_are_too_long_are_taken_out_to_be_given_back(self) -> None:
        queue = queue_of(job("long", wall_time_min=60), job("short", wall_time_min=1))
        assert ids(queue.take_too_long(Allocation(nodes()), 600)) == "long"
        assert ids(list(queue)) == "short"

    def test_none_is_too_long_where_unfit_jobs_are_allowed(self) -> None:
        queue = queue_of(job("long", wall_time_min=60))
        allocation = Allocation(nodes(), allow_unfit=True)
        assert queue.take_too_long(allocation, 1) == []
        assert ids(queue.starts(allocation, 1)) == "long"


class TestBackfill:
    def test_smaller_jobs_go_ahead_of_one_that_does_not_fit(self) -> None:
        allocation = Allocation(nodes(2))
        queue = queue_of(job("first"), job("wide", num_nodes=2), job("small"))
        assert ids(queue.starts(allocation, DAY)) == "first small"
        assert ids(list(queue)) == "wide"

    def test_blocked_job_starts_as_soon_as_it_fits(self) -> None:
        allocation = Allocation(nodes(2))
        queue = queue_of(job("first"), job("wide", num_nodes=2))
        [(_, place)] = queue.starts(allocation, DAY)
        assert queue.starts(allocation, DAY) == []
        allocation.release(place)
        assert ids(queue.starts(allocation, DAY)) == "wide"

    def test_job_of_all_cores_is_not_overtaken_for_ever(self) -> None:
        allocation = Allocation(nodes(cpus=2))
        queue = queue_of(job("first", packing=2), job("wide", packing=2, ranks_per_node=2))
        queue.add([job(f"s{number}", packing=2) for number in range(1000)])
        assert starts_until(queue, allocation, "wide") <= PATIENCE * 2 + 4

    def test_job_of_several_nodes_is_not_overtaken_for_ever(self) -> None:
        allocation, queue = ten_nodes_with_a_job_of_three_behind()
        assert starts_until(queue, allocation, "wide") <= PATIENCE * 10 + 20

    def test_nodes_not_kept_free_stay_busy_meanwhile(self) -> None:
        allocation, queue = ten_nodes_with_a_job_of_three_behind()
        busy: list[int] = []
        starts_until(queue, allocation, "wide", at_each_start=lambda: busy.append(allocation.num_running))
        assert len(busy) > PATIENCE * 10
        assert min(busy) >= 7

    def test_higher_priority_may_use_what_is_kept_free(self) -> None:
        allocation = Allocation(nodes(cpus=2))
        queue = queue_of(job("first", packing=2), job("wide", packing=2, ranks_per_node=2))
        queue.add([job(f"s{number}", packing=2) for number in range(1000)])
        running = queue.starts(allocation, DAY)
        while len(running) == 2:
            allocation.release(running.pop(0)[1])
            running += queue.starts(allocation, DAY)
        queue.add([job("urgent", packing=2, priority=1)])
        assert ids(queue.starts(allocation, DAY)) == "urgent"

    def test_impossible_job_keeps_nothing_free(self) -> None:
        allocation = Allocation(nodes(2))
        queue = queue_of(job("never", num_nodes=3), job("nor", memory_mb_per_node=2000))
        queue.add([job(f"s{number}") for number in range(100)])
        assert starts_until(queue, allocation, "s99") == 100

    def test_job_that_waits_for_time_keeps_nothing_free(self) -> None:
        allocation = Allocation(nodes(2))
        queue = queue_of(job("long", wall_time_min=10**6))
        queue.add([job(f"s{number}") for number in range(100)])
        assert starts_until(queue, allocation, "s99") == 100


def ten_nodes_with_a_job_of_three_behind() -> tuple[Allocation, PendingQueue]:
    """Eight small jobs come before it, and many after it."""
    queue = queue_of(*[job(f"f{number}") for number in range(8)], job("wide", num_nodes=3))
    queue.add([job(f"s{number}") for number in range(1000)])
    return Allocation(nodes(10)), queue


def starts_until(
    queue: PendingQueue, allocation: Allocation, job_id: str, at_each_start: Callable[[], None] = lambda: None
) -> int:
    """End the oldest running job again and again until ``job_id`` starts; returns how many started."""
    running: list[Placement] = []
    num_started = 0
    while True:
        for spec, placement in queue.starts(allocation, DAY):
            num_started += 1
            if spec.job_id == job_id:
                return num_started
            running.append(placement)
            at_each_start()
        assert running, f"{job_id} does not start though nothing runs"
        allocation.release(running.pop(0))


@pytest.mark.parametrize("num_jobs", [100, 10_000])
def test_each_end_looks_at_a_few_jobs_however_many_wait(
    num_jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocation = Allocation(nodes(cpus=4))
    queue = queue_of(*[job(str(number), packing=4) for number in range(num_jobs)])
    running = queue.starts(allocation, DAY)
    tried: list[Shape] = []
    place_shape = Allocation.place_shape

    def counting(self: Allocation, shape: Shape, **options: Any) -> Placement | None:
        tried.append(shape)
        return place_shape(self, shape, **options)

    monkeypatch.setattr(Allocation, "place_shape", counting)
    for _ in range(50):
        allocation.release(running.pop(0)[1])
        running += queue.starts(allocation, DAY)
    assert len(tried) == 50


JOBS: st.SearchStrategy[dict[str, int]] = st.builds(
    dict,
    packing=st.sampled_from([1, 2, 4]),
    num_nodes=st.sampled_from([1, 1, 2]),
    ranks_per_node=st.sampled_from([1, 2, 9]),
    priority=st.integers(0, 2),
    wall_time_min=st.sampled_from([1, 2]),
)


@settings(max_examples=100)
@given(asked=st.lists(JOBS, max_size=30), removed=st.sets(st.integers(0, 29)), endings=st.randoms())
def test_every_job_starts_once_and_none_is_left_while_it_fits(
    asked: list[dict[str, int]], removed: set[int], endings: Random
) -> None:
    allocation = Allocation(nodes(3))
    specs = [job(str(number), **fields) for number, fields in enumerate(asked)]
    queue = queue_of(*specs)
    for number in removed:
        queue.remove(str(number))
    running: list[tuple[JobSpec, Placement]] = []
    done: list[str] = []
    while len(queue) or running:
        running += queue.starts(allocation, DAY)
        assert running, "the queue stalls"
        ended, placement = running.pop(endings.randrange(len(running)))
        allocation.release(placement)
        done.append(ended.job_id)
    assert sorted(done) == sorted(spec.job_id for at, spec in enumerate(specs) if at not in removed)

import re
from collections import Counter
from collections.abc import Iterable

import pytest

from balsam.launcher.placement import Allocation, Placement
from balsam.launcher.shapes import shape_of
from balsam.platform.nodes import Node
from balsam.schemas.jobs import JobSpec
from tests.unit.launcher.jobspecs import job


def nodes(number: int = 1, *, cpus: int = 4, gpus: int = 0, memory_mb: int = 0) -> list[Node]:
    names = tuple(str(gpu) for gpu in range(gpus))
    return [Node(f"n{at}", tuple(range(cpus)), names, memory_mb) for at in range(number)]


def fill(allocation: Allocation, wanted: JobSpec) -> list[Placement]:
    """Place as many such jobs as there is room for."""
    placements = []
    while placement := allocation.place(wanted):
        placements.append(placement)
        assert len(placements) <= 10_000
    return placements


def gpus_of(placements: Iterable[Placement]) -> list[str]:
    return [",".join(placement.gpu_ids[0]) for placement in placements]


def cpus_of(placements: Iterable[Placement]) -> list[tuple[int, ...]]:
    return [placement.cpu_ids[0] for placement in placements]


class TestRoom:
    @pytest.mark.parametrize("packing", [1, 2, 3, 7, 49, 1000, 5000])
    def test_as_many_jobs_as_the_packing_count_share_a_node(self, packing: int) -> None:
        assert len(fill(Allocation(nodes()), job(packing=packing))) == packing

    def test_nodes_are_filled_one_after_the_other(self) -> None:
        placements = fill(Allocation(nodes(2)), job(packing=3))
        assert [placement.nodes for placement in placements] == [("n0",)] * 3 + [("n1",)] * 3

    def test_different_packing_counts_share_what_is_left(self) -> None:
        allocation = Allocation(nodes(cpus=8))
        assert [allocation.place(job(packing=n)) is not None for n in (2, 3, 6)] == [True, True, True]
        assert allocation.is_full
        assert allocation.place(job(packing=1000)) is None

    def test_node_filled_by_rounded_shares_is_full(self) -> None:
        allocation = Allocation(nodes())
        fill(allocation, job(packing=3))
        assert allocation.is_full
        assert allocation.place(job(packing=10**6)) is None

    def test_packing_count_below_one_means_one(self) -> None:
        assert len(fill(Allocation(nodes()), job(packing=0))) == 1

    def test_released_room_is_used_again_and_drifts_not(self) -> None:
        allocation = Allocation(nodes())
        running = fill(allocation, job(packing=3))
        for _ in range(1000):
            allocation.release(running.pop(0))
            placement = allocation.place(job(packing=3))
            assert placement is not None
            running.append(placement)
            assert allocation.place(job(packing=3)) is None

    def test_releasing_twice_is_refused(self) -> None:
        allocation = Allocation(nodes())
        placement = allocation.place(job())
        assert placement is not None
        allocation.release(placement)
        with pytest.raises(ValueError, match="not running"):
            allocation.release(placement)

    def test_avoided_nodes_are_left_alone_and_used_afterwards(self) -> None:
        allocation = Allocation(nodes(2))
        first = allocation.place(job(), avoid={0})
        assert first is not None and first.nodes == ("n1",)
        assert allocation.place(job(), avoid={0}) is None
        second = allocation.place(job())
        assert second is not None and second.nodes == ("n0",)

    def test_no_nodes_are_no_allocation(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            Allocation([])


class TestCores:
    def test_jobs_of_one_core_get_cores_of_their_own(self) -> None:
        assert cpus_of(fill(Allocation(nodes(cpus=4)), job(packing=4))) == [(0,), (1,), (2,), (3,)]

    def test_jobs_wait_for_their_cores_though_there_is_room(self) -> None:
        wanted = job(packing=4, threads_per_rank=2)
        allocation = Allocation(nodes(cpus=4))
        assert cpus_of(fill(allocation, wanted)) == [(0, 1), (2, 3)]
        assert allocation.why_not_now(wanted) == (
            "It waits for 2 free cores on one node; at most 0 are free now."
        )

    def test_hyperthreads_share_cores(self) -> None:
        wanted = job(packing=2, ranks_per_node=2, threads_per_rank=4, threads_per_core=2)
        assert cpus_of(fill(Allocation(nodes(cpus=8)), wanted)) == [(0, 1, 2, 3), (4, 5, 6, 7)]

    def test_job_of_more_cores_than_there_are_runs_alone_on_all(self) -> None:
        wanted = job(packing=4, ranks_per_node=100)
        allocation = Allocation(nodes(cpus=4))
        small = allocation.place(job(packing=4))
        assert small is not None
        assert allocation.place(wanted) is None
        allocation.release(small)
        assert cpus_of(fill(allocation, wanted)) == [(0, 1, 2, 3)]
        assert allocation.place(job(packing=4)) is None

    def test_packing_count_above_the_cores_shares_them_evenly(self) -> None:
        placements = fill(Allocation(nodes(cpus=4)), job(packing=8))
        assert Counter(cpus_of(placements)) == {(cpu,): 2 for cpu in range(4)}

    def test_shared_core_is_free_when_the_last_of_its_jobs_ends(self) -> None:
        allocation = Allocation(nodes(cpus=1))
        one, two, *_others = fill(allocation, job(packing=4))
        for placement in (one, two, *_others[:-1]):
            allocation.release(placement)
            assert allocation.accounts[0].free_cores == 0
        allocation.release(_others[-1])
        assert allocation.accounts[0].free_cores == 1

    def test_cpus_are_used_in_the_order_of_the_node(self) -> None:
        allocation = Allocation([Node("n0", (9, 3, 5))])
        assert cpus_of(fill(allocation, job(packing=3))) == [(9,), (3,), (5,)]


class TestGpus:
    """The examples of a machine with 2 nodes of 64 CPUs and 8 GPUs, and others."""

    @pytest.mark.parametrize(
        ("packing", "gpus", "at_once"), [(8, 1, 16), (4, 1, 8), (8, 8, 2), (16, 1, 16), (8, 2, 8), (1, 1, 2)]
    )
    def test_packing_and_gpus_both_limit(self, packing: int, gpus: int, at_once: int) -> None:
        allocation = Allocation(nodes(2, cpus=64, gpus=8))
        assert len(fill(allocation, job(packing=packing, gpus_per_rank=gpus))) == at_once

    def test_each_tile_of_a_node_serves_one_job(self) -> None:
        tiles = tuple(f"{gpu}.{tile}" for gpu in range(6) for tile in range(2))
        allocation = Allocation([Node(f"n{at}", tuple(range(104)), tiles) for at in range(2)])
        placements = fill(allocation, job(packing=12, gpus_per_rank=1))
        assert gpus_of(placements) == [*tiles, *tiles]

    def test_ranks_of_one_job_get_all_tiles_of_their_node(self) -> None:
        tiles = tuple(f"{gpu}.{tile}" for gpu in range(6) for tile in range(2))
        allocation = Allocation([Node("n0", tuple(range(104)), tiles)])
        assert gpus_of(fill(allocation, job(ranks_per_node=12, gpus_per_rank=1))) == [",".join(tiles)]

    def test_gpus_are_used_in_the_order_of_the_node(self) -> None:
        allocation = Allocation([Node("n0", tuple(range(32)), ("3", "2", "1", "0"))])
        wanted = job(packing=2, ranks_per_node=2, gpus_per_rank=1, threads_per_rank=4)
        placements = fill(allocation, wanted)
        assert gpus_of(placements) == ["3,2", "1,0"]
        assert cpus_of(placements)[0] == tuple(range(8))

    def test_a_job_gets_the_cpus_next_to_its_gpu(self) -> None:
        allocation = Allocation([Node("n0", tuple(range(100, 132)), ("3", "2", "1", "0"))])
        first, second, third, fourth = fill(allocation, job(packing=4, gpus_per_rank=1, threads_per_rank=6))
        assert first.cpu_ids[0] == tuple(range(100, 106))
        assert second.cpu_ids[0] == tuple(range(108, 114))
        allocation.release(second)
        rest = fill(allocation, job(packing=4, threads_per_rank=6))
        assert rest[0].cpu_ids[0] == (106, 107, 108, 109, 110, 111)
        again = [third, fourth]
        assert [placement.cpu_ids[0][0] for placement in again] == [116, 124]

    def test_a_job_gets_other_cpus_where_those_next_to_its_gpu_are_too_few(self) -> None:
        allocation = Allocation([Node("n0", tuple(range(8)), ("0", "1"))])
        first, second = fill(allocation, job(packing=2, gpus_per_rank=1, threads_per_rank=3))
        assert (first.cpu_ids[0], second.cpu_ids[0]) == ((0, 1, 2), (4, 5, 6))
        allocation.release(first)
        allocation.release(second)
        small = allocation.place(job(packing=8, gpus_per_rank=1))
        large = allocation.place(job(packing=2, gpus_per_rank=1, threads_per_rank=6))
        assert small is not None and small.cpu_ids[0] == (0,)
        assert large is not None and large.cpu_ids[0] == (4, 5, 6, 7, 1, 2)
        allocation.release(large)
        assert cpus_of(fill(allocation, job(packing=8))) == [(cpu,) for cpu in range(1, 8)]

    def test_job_without_gpu_gets_none(self) -> None:
        placement = Allocation(nodes(gpus=2)).place(job())
        assert placement is not None
        assert placement.gpu_ids == ((),)

    def test_two_halves_share_one_gpu(self) -> None:
        assert gpus_of(fill(Allocation(nodes(gpus=1)), job(packing=4, gpus_per_rank=0.5))) == ["0", "0"]

    def test_halves_do_not_meet_while_a_gpu_is_free(self) -> None:
        placements = fill(Allocation(nodes(gpus=2)), job(packing=4, gpus_per_rank=0.5))
        assert gpus_of(placements) == ["0", "1", "0", "1"]

    @pytest.mark.parametrize("third", [1 / 3, 0.333, 0.33])
    def test_three_thirds_share_one_gpu(self, third: float) -> None:
        assert gpus_of(fill(Allocation(nodes(gpus=1)), job(packing=4, gpus_per_rank=third))) == ["0"] * 3

    def test_more_than_a_third_is_not_a_third(self) -> None:
        assert len(fill(Allocation(nodes(gpus=1)), job(packing=4, gpus_per_rank=0.34))) == 2

    def test_two_ranks_with_half_a_gpu_each_have_a_whole_one(self) -> None:
        wanted = job(packing=4, ranks_per_node=2, gpus_per_rank=0.5)
        assert gpus_of(fill(Allocation(nodes(cpus=8, gpus=2)), wanted)) == ["0", "1"]

    def test_one_and_a_half_gpus_are_a_whole_one_and_a_share(self) -> None:
        allocation = Allocation(nodes(cpus=8, gpus=3))
        placements = fill(allocation, job(packing=4, gpus_per_rank=1.5))
        assert gpus_of(placements) == ["0,1", "2,1"]
        assert allocation.place(job(packing=4, gpus_per_rank=0.5)) is None
        allocation.release(placements[0])
        assert gpus_of(fill(allocation, job(packing=8, gpus_per_rank=0.5))) == ["0", "0", "1"]

    def test_whole_gpu_is_not_shared(self) -> None:
        allocation = Allocation(nodes(gpus=1))
        half = allocation.place(job(packing=4, gpus_per_rank=0.5))
        assert half is not None
        assert allocation.place(job(packing=4, gpus_per_rank=1)) is None
        allocation.release(half)
        assert allocation.place(job(packing=4, gpus_per_rank=1)) is not None
        assert allocation.place(job(packing=4, gpus_per_rank=0.5)) is None

    def test_gpu_of_an_ended_job_is_the_one_used_next(self) -> None:
        allocation = Allocation(nodes(gpus=4))
        running = fill(allocation, job(packing=4, gpus_per_rank=1))
        for ended in (1, 3):
            allocation.release(running[ended])
        assert gpus_of(fill(allocation, job(packing=4, gpus_per_rank=1))) == ["1", "3"]


class TestLentGpus:
    """Serial mode gives every job one GPU where its node has any."""

    def test_each_job_has_its_own_while_there_are_enough(self) -> None:
        allocation = Allocation(nodes(gpus=4), gpu_per_job_default=True)
        assert gpus_of(fill(allocation, job(packing=4))) == ["0", "1", "2", "3"]

    def test_more_jobs_than_gpus_share_them_evenly(self) -> None:
        allocation = Allocation(nodes(gpus=4), gpu_per_job_default=True)
        assert Counter(gpus_of(fill(allocation, job(packing=8)))) == {"0": 2, "1": 2, "2": 2, "3": 2}

    def test_packing_count_is_reached_also_where_it_is_no_multiple(self) -> None:
        allocation = Allocation(nodes(gpus=2), gpu_per_job_default=True)
        assert Counter(gpus_of(fill(allocation, job(packing=3)))) == {"0": 2, "1": 1}

    def test_jobs_do_not_meet_after_others_ended(self) -> None:
        allocation = Allocation(nodes(gpus=4), gpu_per_job_default=True)
        running = fill(allocation, job(packing=4))
        for ended in (2, 0):
            allocation.release(running[ended])
        assert sorted(gpus_of(fill(allocation, job(packing=4)))) == ["0", "2"]

    def test_gpu_that_a_job_has_wholly_is_not_lent(self) -> None:
        allocation = Allocation(nodes(gpus=2), gpu_per_job_default=True)
        owner = allocation.place(job(packing=4, gpus_per_rank=1))
        assert owner is not None and owner.gpu_ids == (("0",),)
        assert gpus_of(fill(allocation, job(packing=4))) == ["1"] * 3

    def test_lent_gpu_is_nobodys_whole_one(self) -> None:
        allocation = Allocation(nodes(gpus=1), gpu_per_job_default=True)
        borrower = allocation.place(job(packing=4))
        assert borrower is not None
        assert allocation.place(job(packing=4, gpus_per_rank=1)) is None
        allocation.release(borrower)
        assert allocation.place(job(packing=4, gpus_per_rank=1)) is not None
        assert allocation.place(job(packing=4)) is None

    def test_node_without_gpus_lends_none(self) -> None:
        placement = Allocation(nodes(), gpu_per_job_default=True).place(job())
        assert placement is not None
        assert placement.gpu_ids == ((),)


class TestMemory:
    def test_memory_limits_the_jobs_of_a_node(self) -> None:
        wanted = job(packing=4, memory_mb_per_node=400)
        allocation = Allocation(nodes(2, memory_mb=1000))
        assert len(fill(allocation, wanted)) == 4
        assert allocation.why_not_now(wanted) == (
            "It waits for 400 MB of memory on one node; at most 200 MB are free now."
        )

    def test_unknown_memory_limits_nothing(self) -> None:
        assert len(fill(Allocation(nodes()), job(packing=4, memory_mb_per_node=10**9))) == 4


class TestSeveralNodes:
    def test_job_has_its_nodes_to_itself_whatever_its_packing(self) -> None:
        allocation = Allocation(nodes(5))
        placements = fill(allocation, job(num_nodes=2, packing=8))
        assert [placement.nodes for placement in placements] == [("n0", "n1"), ("n2", "n3")]
        assert [placement.nodes for placement in fill(allocation, job(packing=2))] == [("n4",)] * 2

    def test_it_waits_for_nodes_that_are_wholly_empty(self) -> None:
        allocation = Allocation(nodes(2))
        small = allocation.place(job(packing=100))
        assert small is not None
        assert allocation.place(job(num_nodes=2)) is None
        assert allocation.why_not_now(job(num_nodes=2)) == "It waits for 2 empty nodes; 1 are empty now."
        allocation.release(small)
        assert allocation.place(job(num_nodes=2)) is not None

    def test_its_gpus_are_told_for_each_node(self) -> None:
        placement = Allocation(nodes(2, gpus=4)).place(job(num_nodes=2, ranks_per_node=2, gpus_per_rank=1))
        assert placement is not None
        assert placement.gpu_ids == (("0", "1"), ("0", "1"))

    def test_only_nodes_that_have_what_it_asks_for_are_used(self) -> None:
        mixed = [Node("plain", (0,)), Node("a", (0,), ("0",)), Node("b", (0,), ("0",))]
        placement = Allocation(mixed).place(job(num_nodes=2, gpus_per_rank=1))
        assert placement is not None
        assert placement.nodes == ("a", "b")

    def test_avoided_nodes_are_left_alone(self) -> None:
        placement = Allocation(nodes(3)).place(job(num_nodes=2), avoid={1})
        assert placement is not None
        assert placement.nodes == ("n0", "n2")


class TestTime:
    def test_job_that_cannot_finish_is_not_started(self) -> None:
        allocation = Allocation(nodes())
        assert allocation.place(job(wall_time_min=10), time_left_sec=599) is None
        assert allocation.why_not_now(job(wall_time_min=10), time_left_sec=300) == (
            "It may run for 10 min, and this launcher ends in 5.0 min. "
            "It needs a launcher with more time, or a smaller wall_time_minutes."
        )
        assert allocation.place(job(wall_time_min=10), time_left_sec=600) is not None

    def test_job_that_cannot_finish_is_started_when_asked_to(self) -> None:
        allocation = Allocation(nodes(), allow_unfit=True)
        assert allocation.place(job(wall_time_min=10), time_left_sec=1) is not None


class TestReasons:
    @pytest.mark.parametrize(
        ("wanted", "reason"),
        [
            (job(num_nodes=3), "It needs 3 nodes, and this launcher has 2. "),
            (job(gpus_per_rank=3), "It needs 3 GPUs on its node, and this launcher's nodes have 2. "),
            (job(gpus_per_rank=2.5), "It needs 2.5 GPUs on its node, and this launcher's nodes have 2. "),
            (job(num_nodes=2, gpus_per_rank=1), "It needs 1 GPU on each of its nodes, .* nodes have 0. "),
            (job(memory_mb_per_node=700), "It needs 700 MB of memory on its node, .* nodes have 600 MB. "),
            (job(memory_mb_per_node=600, gpus_per_rank=1), "It needs 1 GPU and 600 MB .* too few nodes with"),
        ],
    )
    def test_impossible_job_is_explained(self, wanted: JobSpec, reason: str) -> None:
        allocation = Allocation([Node("a", (0,), ("0", "1"), 500), Node("b", (0,), (), 600)])
        told = allocation.why_impossible(wanted)
        assert told is not None
        assert re.match(reason, told), told
        assert allocation.why_not_now(wanted) == told
        assert allocation.place(wanted) is None

    @pytest.mark.parametrize("wanted", [job(num_nodes=2), job(ranks_per_node=1000), job(gpus_per_rank=1.5)])
    def test_possible_job_is_not_called_impossible(self, wanted: JobSpec) -> None:
        allocation = Allocation(nodes(2, gpus=2))
        fill(allocation, job())
        assert allocation.why_impossible(wanted) is None

    def test_full_node_is_the_reason(self) -> None:
        allocation = Allocation(nodes())
        allocation.place(job(packing=2))
        assert allocation.why_not_now(job(packing=1)) == (
            "It waits for a whole node; at most 0.50 of one is free now."
        )

    def test_busy_gpus_are_the_reason(self) -> None:
        allocation = Allocation(nodes(gpus=1))
        allocation.place(job(packing=2, gpus_per_rank=1))
        assert allocation.why_not_now(job(packing=2, gpus_per_rank=0.5)) == (
            "It waits for 0.5 GPU on one node; other jobs have them now."
        )

    def test_there_is_no_reason_when_the_job_fits(self) -> None:
        allocation = Allocation(nodes(2, gpus=1), gpu_per_job_default=True)
        for wanted in (job(), job(num_nodes=2), job(gpus_per_rank=1)):
            assert allocation.why_not_now(wanted) is None
        assert allocation.num_running == 0


def test_nodes_that_are_free_soonest_are_those_with_most_room() -> None:
    allocation = Allocation(nodes(3))
    assert allocation.place(job()) is not None
    assert allocation.place(job(packing=2)) is not None
    assert allocation.soonest(shape_of(job())) == {2}
    assert allocation.soonest(shape_of(job(num_nodes=2))) == {1, 2}


class TestClosedNodes:
    def test_nothing_is_placed_on_a_closed_node(self) -> None:
        allocation = Allocation(nodes(3))
        allocation.close_node("n1")
        assert [placement.nodes for placement in fill(allocation, job())] == [("n0",), ("n2",)]
        assert allocation.is_full

    def test_node_that_is_closed_while_it_works_stays_closed_when_it_is_released(self) -> None:
        allocation = Allocation(nodes(2))
        both = allocation.place(job(num_nodes=2))
        assert both is not None
        allocation.close_node("n0")
        assert allocation.is_full
        allocation.release(both)
        assert [placement.nodes for placement in fill(allocation, job(packing=2))] == [("n1",)] * 2
        assert allocation.place(job(num_nodes=2)) is None

    def test_job_that_needs_the_closed_node_is_impossible(self) -> None:
        allocation = Allocation(nodes(2))
        allocation.close_node("n0")
        allocation.close_node("n0")
        reason = allocation.why_impossible(job(num_nodes=2))
        assert reason is not None and "this launcher has 1" in reason

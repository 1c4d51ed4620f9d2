"""Whatever jobs come and go, in whatever order: checked against sums over the placements that live."""

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from balsam.launcher.node_account import NodeAccount
from balsam.launcher.placement import Allocation, Placement
from balsam.launcher.shapes import shape_of
from balsam.platform.nodes import Node
from balsam.schemas.jobs import JobSpec
from tests.unit.launcher.jobspecs import job

Live = list[tuple[JobSpec, Placement]]

NODES = st.lists(
    st.tuples(st.integers(1, 6), st.integers(0, 4), st.sampled_from([0, 500, 1000])), min_size=1, max_size=4
).map(
    lambda shapes: [
        Node(f"n{at}", tuple(range(cpus)), tuple(str(gpu) for gpu in range(gpus)), memory_mb)
        for at, (cpus, gpus, memory_mb) in enumerate(shapes)
    ]
)
JOBS = st.builds(
    job,
    packing=st.sampled_from([1, 1, 2, 3, 4, 7, 16, 2000]),
    num_nodes=st.sampled_from([1, 1, 1, 2, 3]),
    ranks_per_node=st.integers(1, 3),
    threads_per_rank=st.sampled_from([1, 1, 2, 5]),
    gpus_per_rank=st.sampled_from([0, 0, 0.25, 1 / 3, 0.5, 0.75, 1, 2]),
    memory_mb_per_node=st.sampled_from([0, 0, 100, 300, 501]),
)
#: A job to place, or (as a number) which of the running ones ends.
STEPS = st.lists(st.one_of(JOBS, st.integers(0, 1000)), max_size=60)


def play(allocation: Allocation, steps: Sequence[JobSpec | int]) -> Live:
    """Place and release; returns what runs at the end."""
    live: Live = []
    for step in steps:
        if not isinstance(step, int):
            fitted = could_place(allocation, step)
            placement = allocation.place(step)
            assert (placement is not None) == fitted
            if placement:
                live.append((step, placement))
        elif live:
            allocation.release(live.pop(step % len(live))[1])
    return live


def could_place(allocation: Allocation, wanted: JobSpec) -> bool:
    """Ask every node anew, remembering nothing."""
    shape = shape_of(wanted)
    able = [account for account in allocation.accounts if account.could_hold(shape)]
    if shape.num_nodes > 1:
        return sum(not account.num_jobs for account in able) >= shape.num_nodes
    return any(account.fits(shape) for account in able)


def on_node(live: Live, name: str) -> list[tuple[JobSpec, tuple[int, ...], tuple[str, ...]]]:
    """What runs on one node, with the CPUs and GPUs it has there."""
    return [
        (spec, placement.cpu_ids[at], placement.gpu_ids[at])
        for spec, placement in live
        for at, node in enumerate(placement.nodes)
        if node == name
    ]


def books(account: NodeAccount) -> tuple[object, ...]:
    return account.free_parts, account.free_mb, account.free_cores, account.num_jobs, account.gpus.loads()


@settings(max_examples=150)
@given(nodes=NODES, steps=STEPS, lends=st.booleans())
def test_no_node_is_ever_over_committed(nodes: list[Node], steps: list[JobSpec | int], lends: bool) -> None:
    live = play(Allocation(nodes, gpu_per_job_default=lends), steps)
    for node in nodes:
        running = on_node(live, node.name)
        shares = [Fraction(1, shape_of(spec).packing) for spec, _, _ in running]
        # rounding down to parts of a node may add up to a millionth of it
        assert sum(shares) <= 1 + Fraction(1, 10**6)
        assert all(spec.num_nodes == 1 for spec, _, _ in running) or len(running) == 1
        if node.memory_mb:
            assert sum(spec.memory_mb_per_node for spec, _, _ in running) <= node.memory_mb


@settings(max_examples=150)
@given(nodes=NODES, steps=STEPS, lends=st.booleans())
def test_gpus_are_shared_only_by_those_who_asked_for_shares(
    nodes: list[Node], steps: list[JobSpec | int], lends: bool
) -> None:
    live = play(Allocation(nodes, gpu_per_job_default=lends), steps)
    for node in nodes:
        shares: dict[str, list[float]] = {gpu: [] for gpu in node.gpus}
        borrowers = Counter[str]()
        for spec, _, gpus in on_node(live, node.name):
            left = spec.gpus_per_rank * spec.ranks_per_node
            assert len(set(gpus)) == len(gpus)
            if not left:
                assert len(gpus) == (lends and bool(node.gpus))
                borrowers.update(gpus)
                continue
            for gpu in gpus:
                shares[gpu].append(min(1.0, left))
                left -= 1
            assert left <= 1e-6
        for gpu, asked in shares.items():
            assert sum(asked) <= 1.004
            assert 1.0 not in asked or (len(asked) == 1 and not borrowers[gpu])


@settings(max_examples=150)
@given(nodes=NODES, steps=STEPS)
def test_cores_are_shared_only_by_jobs_of_one_core(nodes: list[Node], steps: list[JobSpec | int]) -> None:
    live = play(Allocation(nodes), steps)
    for node in nodes:
        users: dict[int, list[JobSpec]] = {cpu: [] for cpu in node.cpus}
        for spec, cpus, _ in on_node(live, node.name):
            assert len(cpus) == len(set(cpus)) == min(spec.cores_per_node, len(node.cpus))
            for cpu in cpus:
                users[cpu].append(spec)
        for sharing in users.values():
            # the packing count lets a job of one core join any other; two of several cores never meet
            assert sum(spec.cores_per_node > 1 for spec in sharing) <= 1


@settings(max_examples=100)
@given(nodes=NODES, steps=STEPS, lends=st.booleans())
def test_releasing_everything_restores_the_beginning(
    nodes: list[Node], steps: list[JobSpec | int], lends: bool
) -> None:
    allocation = Allocation(nodes, gpu_per_job_default=lends)
    for _, placement in play(allocation, steps):
        allocation.release(placement)
    fresh = Allocation(nodes, gpu_per_job_default=lends)
    assert [books(account) for account in allocation.accounts] == [books(a) for a in fresh.accounts]
    assert allocation.num_running == 0
    assert not allocation.is_full


@settings(max_examples=100)
@given(nodes=NODES, steps=STEPS, wanted=JOBS)
def test_reason_is_given_exactly_when_the_job_does_not_start(
    nodes: list[Node], steps: list[JobSpec | int], wanted: JobSpec
) -> None:
    allocation = Allocation(nodes)
    live = play(allocation, steps)
    before = [books(account) for account in allocation.accounts]
    impossible, reason = allocation.why_impossible(wanted), allocation.why_not_now(wanted)
    assert [books(account) for account in allocation.accounts] == before
    assert (allocation.place(wanted) is None) == (reason is not None)
    if reason is None or impossible:
        assert impossible == reason
        return
    for _, placement in live:
        allocation.release(placement)
    assert allocation.place(wanted) is not None


@settings(max_examples=100)
@given(nodes=NODES, steps=STEPS, wanted=JOBS)
def test_full_means_that_nothing_at_all_fits(
    nodes: list[Node], steps: list[JobSpec | int], wanted: JobSpec
) -> None:
    allocation = Allocation(nodes)
    play(allocation, steps)
    if allocation.is_full:
        assert allocation.place(wanted) is None

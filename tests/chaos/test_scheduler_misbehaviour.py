"""Random mischief of the fake batch systems, and deaths of submitters: nothing is lost, nothing is double.

``BALSAM_TEST_MISCHIEF=1000`` does the full run, ``BALSAM_TEST_SEED`` repeats one. Commands of the fakes are
called within this process, a tenth of them as processes; whoever is to die is a forked process that kills
itself at a step. Time passes by making what is recorded older.
"""

import collections
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from balsam.selftest.fakes.schedulers import SCHEDULERS
from balsam.states import BatchJobEnd, BatchJobState
from tests.chaos.mischief import World
from tests.waiting import wait_until

COUNT = int(os.environ.get("BALSAM_TEST_MISCHIEF", "60"))
SEED = os.environ.get("BALSAM_TEST_SEED") or str(time.time_ns() % 1_000_000)
B = BatchJobState
#: The true end, in the fake's word -> what may be known of it.
ENDS = {
    "completed": {BatchJobEnd.COMPLETED},
    "failed": {BatchJobEnd.FAILED},
    "timeout": {BatchJobEnd.TIMEOUT},
    "cancelled": {BatchJobEnd.CANCELLED},
    "preempted": {BatchJobEnd.PREEMPTED, BatchJobEnd.CANCELLED},
    "node_fail": {BatchJobEnd.NODE_FAIL, BatchJobEnd.FAILED},
    "out_of_memory": {BatchJobEnd.OUT_OF_MEMORY, BatchJobEnd.FAILED},
}
NOBODY_SAYS = {BatchJobEnd.UNKNOWN, BatchJobEnd.VANISHED}


@pytest.fixture
def worlds(db: Path, tmp_path: Path) -> Iterator[list[World]]:
    rng = random.Random(SEED)
    made = [World(scheduler, tmp_path / scheduler, rng) for scheduler in SCHEDULERS]
    yield made
    for world in made:
        world.stop()


def test_no_batch_job_is_lost_or_double(worlds: list[World], capsys: pytest.CaptureFixture[str]):
    began = time.monotonic()
    while (count := sum(world.befallen() for world in worlds)) < COUNT:
        random_world = worlds[0].rng.choice(worlds)
        random_world.misbehave()
        random_world.act()
    done_sec = time.monotonic() - began
    for world in worlds:
        world.settle()
    problems = [problem for world in worlds for problem in accounted(world)]
    ends = collections.Counter(end for world in worlds for end in ended(world))
    with capsys.disabled():
        deeds = sum((world.deeds for world in worlds), collections.Counter())
        print(f"\n{count} mischiefs in {done_sec:.0f} s, seed {SEED}: {dict(deeds)}; ends: {dict(ends)}")
    assert not problems, f"seed {SEED}: " + "\n".join(problems)
    assert ends["wrong"] == 0


def accounted(world: World) -> Iterator[str]:
    """Compare what Balsam knows with what the batch system has taken; name what does not agree."""
    infos = world.infos()
    taken = world.taken()
    for batch_job_id in taken.keys() - infos.keys():
        yield f"{world.name}: {batch_job_id} was taken, and Balsam has no such batch job"
    for batch_job_id, info in infos.items():
        jobs = taken.get(batch_job_id, [])
        numbers = {job.id for job in jobs}
        is_double = world.overlap([job for job in jobs if not job.is_forgotten])
        is_lost = not info.scheduler_id and any(world.can_be_found(job) for job in jobs)
        is_other = info.scheduler_id and world.number(info.scheduler_id) not in numbers
        if is_double or is_lost or is_other or info.state is B.PENDING_SUBMISSION:
            shown = [(job.id, job.state, job.end, bool(job.is_forgotten)) for job in jobs]
            yield f"{world.name}: {info} was taken as (id, state, end, forgotten) {shown}"


def ended(world: World) -> Iterator[str]:
    """End all batch jobs, and say of each whether its end is known rightly."""
    world.end_all()
    wait_until(world.is_over, 60)
    taken = world.taken()
    for batch_job_id, info in world.infos().items():
        jobs = [job for job in taken.get(batch_job_id, []) if not job.is_forgotten]
        if info.state is not B.FINISHED or len(jobs) != 1:
            continue
        if info.end in ENDS[jobs[0].end]:
            yield "right"
        elif info.end in NOBODY_SAYS:
            yield "unknown"
        else:
            yield "wrong"

"""A worker under jobs and orders of every kind at random: each job is answered for once, nothing lingers."""

import asyncio
import random
import signal
from pathlib import Path

import pytest

from balsam.lib.processes import orphans_of
from tests.waiting import wait_until
from tests.worker_driver import Driver, worker

#: Shell scripts of jobs; each first records its start in a file that is shared by all.
SCRIPTS = {
    "true": "exit 0",
    "false": "exit 1",
    "short": "sleep 0.0$((RANDOM % 9))",
    "signal": "kill -$((RANDOM % 2 ? 9 : 15)) $$",
    "group": "kill -9 0",
    "child": "sleep 600 & exit 0",
    "session": "(setsid sleep 600 &) ; exit 0",
    "deaf": "trap '' TERM; while :; do sleep 0.01; done",
    "stopped": "kill -STOP $$",
    "loud": "head -c 200000 /dev/urandom; exit 2",
    "no output": 'rm -f "$PWD"/*.out; exit 3',
    "pipe": 'rm -f "$PWD"/*.out; mkfifo "$PWD/$1.out"; exit 4',
    "no directory": 'rm -rf "$PWD"; exit 5',
    "orphaned": "bash -c 'sleep 600' & kill -9 $$",
}
#: Jobs that end only when they are told to.
ENDLESS = {"deaf", "stopped"}


@pytest.mark.parametrize("seed", range(3))
def test_every_job_is_answered_for_once_and_nothing_lingers(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    log = tmp_path / "starts"
    for kind, text in SCRIPTS.items():
        path = tmp_path / kind
        path.write_text(f'#!/bin/bash\necho "$1" >> {log}\n{text}\n')
        path.chmod(0o755)
    kinds = chance.choices(list(SCRIPTS), k=150)

    async def play(driver: Driver) -> None:
        jobs = {f"j{number}": kind for number, kind in enumerate(kinds)}
        for job_id, kind in jobs.items():
            command = f"'{tmp_path / kind}' {job_id}"
            driver.run(driver.spec(job_id, command, node_packing_count=chance.choice([1, 4, 8])))
            if chance.random() < 0.1:
                driver.tell("kill", job_ids=chance.sample(list(jobs), 5))
            if chance.random() < 0.02:
                driver.tell("give_back")

        def is_answered(job_id: str) -> bool:
            return (job_id, 1) in driver.ended or (job_id, 1) in driver.returned

        async def end_the_endless() -> None:
            while not all(map(is_answered, jobs)):
                endless = [job_id for job_id, _ in driver.started if jobs[job_id] in ENDLESS]
                driver.tell("kill", job_ids=endless)
                await asyncio.sleep(0.05)

        killer = asyncio.create_task(end_the_endless())
        await driver.until(lambda: all(map(is_answered, jobs)), timeout_sec=120)
        await killer
        check(driver, jobs)
        driver.tell("stop", grace_sec=0)
        assert await driver.leaves() == 0

    def check(driver: Driver, jobs: dict[str, str]) -> None:
        ran = log.read_text().split()
        assert len(set(ran)) == len(ran), "a job ran twice"
        assert set(ran) <= {job_id for job_id, _ in driver.started}
        assert not driver.ended.keys() & driver.returned.keys()
        assert driver.started.keys() == driver.ended.keys()
        expected = {"true": 0, "false": 1, "child": 0, "loud": 2, "pipe": 4, "group": -9, "orphaned": -9}
        for (job_id, _), (code, _) in driver.ended.items():
            allowed = {expected.get(jobs[job_id], code), -signal.SIGTERM, -signal.SIGKILL}
            assert code in allowed, (job_id, jobs[job_id], code)

    async def run() -> None:
        async with worker(tmp_path, grace_sec=0.1, environ={"BALSAM_TEST_WORKER": str(tmp_path)}) as driver:
            await play(driver)

    asyncio.run(run())

    wait_until(
        lambda: not orphans_of("BALSAM_TEST_WORKER", str(tmp_path)), what="an end of all that was started"
    )

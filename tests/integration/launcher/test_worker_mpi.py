"""A worker that starts parallel jobs with the MPI that is installed, on this host."""

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from balsam.launcher.channel import new_nonce
from balsam.lib.processes import orphans_of
from balsam.platform.mpirun import detect
from balsam.platform.nodes.node import Node
from tests.waiting import wait_until
from tests.worker_driver import Driver, worker

MPIRUN = detect()
HERE = socket.gethostname()
#: Prints its rank and the number of ranks, as MPICH or Open MPI tells them.
RANKS = """import os
rank = os.environ.get("PMI_RANK") or os.environ["OMPI_COMM_WORLD_RANK"]
size = os.environ.get("PMI_SIZE") or os.environ["OMPI_COMM_WORLD_SIZE"]
os.write(1, f"rank {rank} of {size}\\n".encode())
"""
SLEEP = "import time; time.sleep(600)"

pytestmark = pytest.mark.skipif(not MPIRUN, reason="no MPI launcher is installed")


def drive(tmp_path: Path, play: Callable[[Driver], Awaitable[None]], **setup: Any) -> str:
    """Play with a worker in mpi mode; returns the mark of all its processes."""
    mark = new_nonce()
    setup = {"mode": "mpi", "nodes": (Node(HERE, (0, 1, 2, 3)),), "mpirun": MPIRUN, **setup}
    setup["environ"] = {"BALSAM_TEST_MARK": mark}

    async def run() -> None:
        async with worker(tmp_path, **setup) as driver:
            await play(driver)

    asyncio.run(run())
    wait_until(lambda: not orphans_of("BALSAM_TEST_MARK", mark), what="an end of all ranks")
    return mark


def python(tmp_path: Path, code: str) -> str:
    path = tmp_path / "app.py"
    path.write_text(code)
    return f"{sys.executable} {path}"


def test_ranks_find_each_other_and_no_ssh_is_asked(tmp_path: Path) -> None:
    for name in ("ssh", "rsh"):
        (tmp_path / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\nexit 1\n")
        (tmp_path / name).chmod(0o755)

    async def play(driver: Driver) -> None:
        environ = {"PATH": f"{tmp_path}:/usr/local/bin:/usr/bin:/bin"}
        driver.run(driver.spec("pair", python(tmp_path, RANKS), ranks_per_node=2, environ=environ))
        assert await driver.ends("pair") == [0], driver.output("pair")
        assert sorted(driver.output("pair").splitlines()) == ["rank 0 of 2", "rank 1 of 2"]
        assert not (tmp_path / "asked").exists()

    drive(tmp_path, play)


@pytest.mark.skipif(not MPIRUN.startswith("mpich"), reason="mpi4py comes with MPICH here")
def test_ranks_are_one_communicator(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        code = "from mpi4py import MPI; assert MPI.COMM_WORLD.allreduce(1) == 2"
        driver.run(driver.spec("pair", python(tmp_path, code), ranks_per_node=2))
        assert await driver.ends("pair") == [0], driver.output("pair")

    drive(tmp_path, play)


def test_parallel_jobs_run_beside_each_other_on_one_host(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        command = python(tmp_path, RANKS)
        ids = [f"j{number}" for number in range(4)]
        driver.run(*(driver.spec(job_id, command, ranks_per_node=2, node_packing_count=2) for job_id in ids))
        assert await driver.ends(*ids) == [0] * 4
        assert all(driver.output(job_id).count("of 2") == 2 for job_id in ids)

    drive(tmp_path, play)


def test_the_exit_code_of_a_rank_is_that_of_the_job(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.run(driver.spec("bad", "sh -c 'echo it broke; exit 3'", ranks_per_node=2))
        assert await driver.ends("bad") == [3]
        assert "it broke" in driver.ended["bad", 1][1]
        driver.run(driver.spec("absent", "/no/such/program", ranks_per_node=2))
        [code] = await driver.ends("absent")
        assert code not in (0, None) and "/no/such/program" in driver.ended["absent", 1][1]

    drive(tmp_path, play)


def test_killing_a_job_ends_all_its_ranks(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.run(driver.spec("long", python(tmp_path, RANKS + SLEEP), ranks_per_node=3))
        await driver.until(lambda: driver.output("long").count("of 3") == 3)
        driver.tell("kill", job_ids=["long"])
        [code_of_job] = await driver.ends("long")
        assert code_of_job != 0

    drive(tmp_path, play)


def test_ranks_that_ignore_the_request_to_end_are_killed(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + RANKS + SLEEP
        driver.run(driver.spec("deaf", python(tmp_path, code), ranks_per_node=2))
        await driver.until(lambda: driver.output("deaf").count("of 2") == 2)
        driver.tell("kill", job_ids=["deaf"])
        [code_of_job] = await driver.ends("deaf")
        assert code_of_job != 0

    drive(tmp_path, play, grace_sec=0.2)


def test_no_rank_outlives_an_mpi_launcher_that_was_killed(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.run(driver.spec("long", python(tmp_path, RANKS + SLEEP), ranks_per_node=2))
        await driver.until(lambda: driver.output("long").count("of 2") == 2)
        [mpiexec] = psutil.Process(driver.process.pid).children()
        mpiexec.kill()
        assert await driver.ends("long") == [-signal.SIGKILL]
        await driver.until(lambda: not psutil.Process(driver.process.pid).children(recursive=True))

    drive(tmp_path, play)


def test_without_an_mpi_a_single_rank_runs_and_several_are_refused(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.run(driver.spec("one", "echo one"), driver.spec("two", "echo two", ranks_per_node=2))
        assert await driver.ends("one", "two") == [0, None]
        assert driver.output("one") == "one\n"
        assert "pip install mpich" in driver.ended["two", 1][1]

    drive(tmp_path, play, mpirun="")

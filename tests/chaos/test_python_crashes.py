"""Sudden deaths around Python applications: of warm interpreters, their jobs, worker and launcher."""

import collections
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from balsam.api import ApplicationDefinition, Job
from balsam.core.invariants import violations
from balsam.core.models import BalsamJob, Session
from balsam.lib.processes import orphans_of
from balsam.schemas.sessions import session_mark
from tests.launching import finish, launcher, lines, run_launcher
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="interpreters are kept warm on Linux alone")
COUNT = 60


def trace(self: Any, notes: str) -> int:
    import os
    import time

    for name in ("starts", "ends"):
        file = os.open(f"{notes}/{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, f"{self.job.id} {os.getpid()}\n".encode())
        time.sleep(0.05)
    return int(self.job.id)


@pytest.fixture
def jobs(db: Path, tmp_path: Path) -> list[Job]:
    """Jobs that note their start and their end, and return their id."""
    body = {"site": 1, "run": trace, "__module__": __name__}
    app = type("Trace", (ApplicationDefinition,), body)
    made = [app.submit(f"t{n}", save=False, node_packing_count=4, notes=str(tmp_path)) for n in range(COUNT)]
    return Job.objects.bulk_create(made)


def started(notes: Path) -> collections.Counter[str]:
    return collections.Counter(line.split()[0] for line in lines(notes / "starts"))


def below(pid: int, what: str) -> list[psutil.Process]:
    """Processes that descend from one, by a word of their command lines."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if what in " ".join(process.cmdline()):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def interpreters(launcher_pid: int) -> list[psutil.Process]:
    """Warm interpreters: they stand at the root, and their jobs do not."""
    found = []
    for process in below(launcher_pid, "warm_server"):
        try:
            if process.cwd() == "/":
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def assert_all_ran_and_nothing_is_left(jobs: list[Job], notes: Path, *, again_at_most: int) -> None:
    assert [job.result(timeout=10) for job in jobs] == [job.id for job in jobs]
    count = started(notes)
    assert len(count) == COUNT and sum(times - 1 for times in count.values()) <= again_at_most
    assert not violations()
    from balsam.core.active import database_id

    for session in Session.objects.all():
        mark = session_mark(database_id(), session.pk)
        wait_until(lambda mark=mark: not orphans_of("BALSAM_SESSION", mark), what="an end of all processes")


def test_killed_interpreters_cost_no_start(jobs: list[Job], tmp_path: Path) -> None:
    killed = 0
    with launcher() as running:
        while running.poll() is None and killed < 5:
            enough = min(COUNT, (killed + 1) * COUNT // 8)
            wait_until(lambda enough=enough: running.poll() is not None or len(started(tmp_path)) >= enough)
            for process in interpreters(running.pid):
                process.kill()
                killed += 1
        done = finish(running)
    assert done.returncode == 0, done.stdout
    assert killed
    assert_all_ran_and_nothing_is_left(jobs, tmp_path, again_at_most=0)


def test_killed_jobs_fail_alone(jobs: list[Job], tmp_path: Path) -> None:
    victims: list[str] = []
    with launcher() as running:
        while running.poll() is None and len(victims) < 3:
            [*_, last] = wait_until(lambda: lines(tmp_path / "starts"))
            job_id, pid = last.split()
            ended = {line.split()[0] for line in lines(tmp_path / "ends")}
            if job_id in (*victims, *ended):
                continue
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue
            victims.append(job_id)
        finish(running)
    Job.objects.bulk_refresh(jobs)
    failed = {str(job.id) for job in jobs if job.state == "FAILED"}
    assert failed <= set(victims) and {job.return_code for job in jobs if job.state == "FAILED"} <= {-9}
    assert all(job.result_nowait() == job.id for job in jobs if str(job.id) not in failed)
    assert set(started(tmp_path).values()) == {1} and not violations()


def test_death_of_the_worker_costs_only_restarts(jobs: list[Job], tmp_path: Path) -> None:
    with launcher() as running:
        wait_until(lambda: len(started(tmp_path)) >= COUNT // 4)
        (worker,) = below(running.pid, "balsam.launcher.worker")
        worker.kill()
        done = finish(running)
    assert done.returncode == 0, done.stdout
    assert_all_ran_and_nothing_is_left(jobs, tmp_path, again_at_most=16)


def test_next_launcher_finishes_after_the_death_of_a_launcher(jobs: list[Job], tmp_path: Path) -> None:
    with launcher() as running:
        wait_until(lambda: len(started(tmp_path)) >= COUNT // 4)
        os.killpg(running.pid, signal.SIGKILL)
    run_launcher().check()
    assert BalsamJob.objects.filter(state="JOB_FINISHED").count() == COUNT
    assert_all_ran_and_nothing_is_left(jobs, tmp_path, again_at_most=16)

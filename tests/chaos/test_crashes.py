"""Sudden deaths: of launcher, worker and database server; nothing is lost, nothing runs twice at once."""

import collections
import os
import signal
from pathlib import Path

import psutil
import pytest

from balsam.core.models import ApplicationDefinition, BalsamJob, Session
from balsam.exceptions import LeaseLostError
from balsam.postgres import Cluster
from tests.launching import finish, launcher, lines, run_launcher, script
from tests.waiting import wait_until

COUNT = 120


@pytest.fixture
def traces(db: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Jobs that note their start and their end; the two files of notes."""
    starts, ends = tmp_path / "starts", tmp_path / "ends"
    text = f"#!/bin/sh\necho $BALSAM_JOB_ID >> {starts}\nsleep 0.05\necho $BALSAM_JOB_ID >> {ends}\n"
    ApplicationDefinition.objects.create(name="trace", executable=str(script(tmp_path, "trace", text)))
    BalsamJob.objects.bulk_create(
        BalsamJob(name=f"t{i}", workflow="w", application="trace", node_packing_count=4) for i in range(COUNT)
    )
    return starts, ends


def states() -> collections.Counter[str]:
    return collections.Counter(BalsamJob.objects.values_list("state", flat=True))


def assert_all_ran(starts: Path, *, again_at_most: int) -> None:
    failed = BalsamJob.objects.filter(state="FAILED")
    assert states() == {"JOB_FINISHED": COUNT}, [job.state_history for job in failed]
    count = collections.Counter(lines(starts))
    assert len(count) == COUNT
    assert sum(times > 1 for times in count.values()) <= again_at_most


def kill_group(pid: int) -> None:
    os.killpg(pid, signal.SIGKILL)


def test_next_launcher_finishes_after_the_death_of_a_launcher(traces: tuple[Path, Path]) -> None:
    starts, ends = traces
    with launcher() as running:
        wait_until(lambda: len(lines(ends)) >= COUNT // 4)
        kill_group(running.pid)
    run_launcher().check()
    assert_all_ran(starts, again_at_most=16)


@pytest.mark.usefixtures("traces")
def test_running_launcher_takes_over_from_one_that_dies(tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    text = f"#!/bin/sh\necho $$ >> {hold}\n[ $(wc -l < {hold}) -gt 1 ] || sleep 600\n"
    ApplicationDefinition.objects.create(name="hold", executable=str(script(tmp_path, "hold.sh", text)))
    job = BalsamJob(name="hold", workflow="w", application="hold", priority=1)
    job.save()
    with launcher() as first:
        [pid] = wait_until(lambda: lines(hold))
        with launcher("--persistent") as second:
            wait_until(lambda: Session.objects.filter(ended=None, kind="launcher").count() == 2)
            kill_group(first.pid)
            wait_until(lambda: states() == {"JOB_FINISHED": COUNT + 1}, timeout_sec=60)
            second.send_signal(signal.SIGTERM)
            finish(second)
    assert not psutil.pid_exists(int(pid)), "what the dead launcher left running was killed first"
    job.refresh_from_db()
    assert job.attempt == 2 and "has died" in job.state_history


def test_death_of_the_worker_costs_only_restarts(traces: tuple[Path, Path]) -> None:
    starts, ends = traces
    with launcher() as running:
        wait_until(lambda: len(lines(ends)) >= COUNT // 4)
        [worker] = [p for p in psutil.Process(running.pid).children() if "worker" in " ".join(p.cmdline())]
        worker.kill()
        done = finish(running)
    assert done.returncode == 0, done.stdout
    assert_all_ran(starts, again_at_most=16)


def test_death_of_the_database_server_in_mid_run_loses_nothing(db: Path, traces: tuple[Path, Path]) -> None:
    starts, ends = traces
    with launcher() as running:
        for share in (COUNT // 4, COUNT // 2):
            wait_until(lambda share=share: len(lines(ends)) >= share)
            os.kill(int((db / "balsamdb" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        done = finish(running)
    assert done.returncode == 0, done.stdout
    Cluster(db).ensure_running()
    assert_all_ran(starts, again_at_most=0)


def test_launcher_that_stops_while_the_database_is_away_leaves_its_results_on_disk(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = tmp_path / "go"
    text = f"#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.05; done\n"
    ApplicationDefinition.objects.create(name="wait", executable=str(script(tmp_path, "wait.sh", text)))
    job = BalsamJob(name="wait", workflow="w", application="wait")
    job.save()
    with launcher() as running:
        wait_until(lambda: BalsamJob.objects.get(pk=job.pk).state == "RUNNING")
        Cluster(db).stop()
        hidden = db / "balsamdb.away"
        (db / "balsamdb").rename(hidden)  # so that the launcher cannot start it again
        try:
            go.touch()
            wait_until(lambda: list((db / "log").glob("*.journal")))
            running.send_signal(signal.SIGTERM)
            done = finish(running)
            assert done.returncode == 6, done.stdout
        finally:
            hidden.rename(db / "balsamdb")
    Cluster(db).ensure_running()
    run_launcher().check()
    job.refresh_from_db()
    assert (job.state, job.attempt) == ("JOB_FINISHED", 1)
    assert not list((db / "log").glob("*.journal"))


def test_launcher_that_sleeps_past_its_lease_is_refused(db: Path, traces: tuple[Path, Path]) -> None:
    starts, ends = traces
    with launcher() as running:
        wait_until(lambda: len(lines(ends)) >= COUNT // 4)
        os.kill(running.pid, signal.SIGSTOP)
        Session.objects.filter(ended=None).update(expires="2001-01-01T00:00:00Z")
        run_launcher().check()
        os.kill(running.pid, signal.SIGCONT)
        assert finish(running).returncode == LeaseLostError.exit_code
    assert_all_ran(starts, again_at_most=COUNT)

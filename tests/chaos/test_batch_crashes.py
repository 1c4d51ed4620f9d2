"""Sudden deaths between the steps of a submission: never two batch jobs for an intent, and none forgotten."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from balsam.batch import Desk, open_desk, refresh, submit
from balsam.client import Client
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobRequest
from balsam.states import BatchJobState
from tests.integration.batch.conftest import let_pass

REQUEST = BatchJobRequest(
    scheduler="local", project="p", queue="q", num_nodes=1, wall_time_min=1, job_mode="serial"
)
#: Submits an intent at the local queue, and kills itself at the point that is given.
SUBMITTER = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from balsam.batch import open_desk, submit, submit_request
from balsam.client import Client, InProcess
from balsam.lib.commands import run_command
from tests.chaos.test_batch_crashes import REQUEST

point, db_path, intent = sys.argv[1:]

def reach(name):
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)

class Deadly(InProcess):
    def call(self, operation, *args, **kwargs):
        reach(f"before {operation}")
        reply = super().call(operation, *args, **kwargs)
        reach(f"after {operation}")
        return reply

def run(command):
    word = command.argv[command.argv.index("balsam.localqueue") + 1]
    reach(f"before {word}")
    answer = run_command(command)
    reach(f"after {word}")
    return answer

desk = replace(open_desk(Path(db_path), Client(Deadly())), run=run)
print(submit(desk, int(intent)).state if intent else submit_request(desk, REQUEST).state)
"""
POINTS = [
    *("before batch_jobs.intend", "after batch_jobs.intend", "before batch_jobs.begin"),
    *("after batch_jobs.begin", "before submit", "after submit"),
    *("before batch_jobs.record", "after batch_jobs.record"),
]


@pytest.fixture
def desk(db: Path, local_queue: Path, tmp_path: Path) -> Desk:
    """The desk at a local queue whose batch jobs do nothing."""
    (local_queue / "settings.json").write_text('{"SCHEDULER_CLASS": "local", "JOB_TEMPLATE": "mine.tmpl"}')
    (local_queue / "mine.tmpl").write_text("#!/bin/sh\ntrue\n")
    return open_desk(tmp_path)


def submitter(desk: Desk, point: str, intent: int | None = None) -> "subprocess.Popen[str]":
    """Start a process that submits a new intent, or the one that is given."""
    argv = [sys.executable, "-c", SUBMITTER, point, str(desk.db_path), str(intent or "")]
    return subprocess.Popen(argv, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True)


def submissions(desk: Desk, info: BatchJobInfo) -> set[str]:
    """Numbers of all batch jobs that the local queue has ever had for an intent."""
    listed = {job.scheduler_id for job in desk.ask_listing().jobs.values() if job.name == info.marker}
    history = desk.ask_history([], info.created.replace(year=2000), info.marker)
    assert history is not None and history.is_complete
    return listed | set(history.jobs)


@pytest.mark.parametrize("point", POINTS)
def test_a_death_at_any_point_leaves_one_batch_job(desk: Desk, point: str) -> None:
    dead = submitter(desk, point)
    dead.communicate(timeout=60)
    assert dead.returncode == -signal.SIGKILL
    infos = desk.client.batch_jobs()
    if point == "before batch_jobs.intend":
        assert infos == []
        return
    (info,) = infos
    for _ in range(3):  # the service, at its next rounds
        refresh(desk)
        submit(desk, info.batch_job_id)
        let_pass(1000)
    (after,) = desk.client.batch_jobs(live_only=False)
    assert after.state in (BatchJobState.QUEUED, BatchJobState.RUNNING, BatchJobState.FINISHED)
    assert submissions(desk, info) == {after.scheduler_id}


@pytest.mark.parametrize("first", POINTS[2:])
def test_a_second_death_changes_nothing(desk: Desk, first: str) -> None:
    info = desk.client.intend_batch_job(REQUEST)
    for point in (first, "after submit"):
        submitter(desk, point, info.batch_job_id).communicate(timeout=60)
        let_pass(1000)
    submit(desk, info.batch_job_id)
    assert len(submissions(desk, info)) == 1


def test_processes_that_submit_at_once_submit_once(desk: Desk) -> None:
    info = desk.client.intend_batch_job(REQUEST)
    processes = [submitter(desk, "", info.batch_job_id) for _ in range(4)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert len(submissions(desk, info)) == 1
    assert Client().batch_jobs(live_only=False)[0].scheduler_id in submissions(desk, info)

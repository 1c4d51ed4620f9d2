"""The way of a batch job through the database, with each batch system's own words and formats."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from balsam.batch import Desk, cancel, open_desk, refresh, refreshing, submit_request
from balsam.core.models import BalsamJob
from balsam.exceptions import BalsamError
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobRequest
from balsam.selftest.fakes.schedulers import SCHEDULERS
from balsam.selftest.setting_up import make_fake
from balsam.states import BatchJobEnd, BatchJobState
from tests.commands import Finished
from tests.jobs import add_jobs
from tests.waiting import wait_until

B = BatchJobState
SUBMIT = ("submit-launch", "-n", 1, "-q", "debug", "-A", "demo", "-t", 5, "--job-mode", "serial")


@pytest.fixture(params=SCHEDULERS)
def scheduler(
    request: pytest.FixtureRequest,
    db: Path,
    local_queue: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The name of a batch system whose fake is on PATH and in the settings; its nodes are this host."""
    name: str = request.param
    queues = {"debug": {"max_minutes": 60}, "shut": {"is_closed": 1}}
    monkeypatch.setenv("PATH", f"{make_fake(name, tmp_path / 'fake', queues=queues)}:{os.environ['PATH']}")
    settings = {"SCHEDULER_CLASS": name, "WORKER_DETECTION_TYPE": "local"}
    (local_queue / "settings.json").write_text(json.dumps(settings))
    return name


@pytest.fixture
def desk(scheduler: str, tmp_path: Path, local_queue: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The desk at it; its batch jobs sleep. What no listing shows any more is soon gone."""
    monkeypatch.setattr(refreshing, "VANISH_SEC", 1.0)
    (local_queue / "settings.json").write_text(
        f'{{"SCHEDULER_CLASS": "{scheduler}", "JOB_TEMPLATE": "sleep.tmpl"}}'
    )
    (local_queue / "sleep.tmpl").write_text("#!/bin/sh\nexec sleep 600\n")
    return open_desk(tmp_path)


def submitted(desk: Desk, queue: str = "debug") -> BatchJobInfo:
    return submit_request(
        desk,
        BatchJobRequest(
            scheduler=desk.adapter.name,
            project="demo",
            queue=queue,
            num_nodes=1,
            wall_time_min=5,
            job_mode="serial",
        ),
    )


def now(desk: Desk, info: BatchJobInfo) -> BatchJobInfo:
    """A batch job after a refresh."""
    assert refresh(desk).problem == ""
    (found,) = desk.client.batch_jobs(live_only=False, ids=[info.batch_job_id])
    return found


def test_a_launcher_runs_the_jobs(scheduler: str, balsam_cli: Callable[..., Finished]):
    add_jobs(3, workflow="w")
    assert "Submit OK: Qlaunch {" in balsam_cli(*SUBMIT).check().stdout

    def is_over() -> bool:
        listing = balsam_cli("ls", "queues").check()
        assert listing.stderr == ""
        return listing.stdout == "No queued jobs detected.\n"

    wait_until(is_over, 90)
    history = balsam_cli("ls", "queues", "--history").check().stdout
    assert ("| vanished " if scheduler == "cobalt" else "| completed |") in history  # it has no account
    assert set(BalsamJob.objects.values_list("state", flat=True)) == {"JOB_FINISHED"}, history


def test_a_launcher_that_cannot_start_says_why(desk: Desk, local_queue: Path):
    (local_queue / "sleep.tmpl").write_text("#!/bin/sh\n{{ launcher_cmd }} --job-mode=magic\n")
    info = submitted(desk)
    wait_until(lambda: now(desk, info).state is B.FINISHED, 90)
    ended = now(desk, info)
    assert ended.end in (BatchJobEnd.FAILED, BatchJobEnd.VANISHED)
    assert f"qlaunch{info.batch_job_id}." in ended.reason and "magic" in ended.reason


def test_a_batch_job_is_seen_running_and_cancelled(desk: Desk):
    info = submitted(desk)
    wait_until(lambda: now(desk, info).state is B.RUNNING, 60)
    running = now(desk, info)
    assert (running.queue, running.project, running.num_nodes) == ("debug", "demo", 1)
    assert running.wall_time_min == 5
    cancel(desk, info.batch_job_id)
    wait_until(lambda: now(desk, info).state is B.FINISHED, 60)
    assert now(desk, info).end in (BatchJobEnd.CANCELLED, BatchJobEnd.VANISHED)


def test_a_refusal_is_told(desk: Desk):
    with pytest.raises(BalsamError, match=r"refused the batch job: \S"):
        submitted(desk, queue="nonesuch")
    assert desk.client.batch_jobs() == []


def test_a_batch_job_is_found_by_its_marker(desk: Desk, scheduler: str):
    info = submitted(desk)
    listing = desk.ask_listing()
    assert [job.name for job in listing.jobs.values()] == [info.marker]
    assert list(listing.jobs) == [info.scheduler_id]
    cancel(desk, info.batch_job_id)
    wait_until(lambda: now(desk, info).state is B.FINISHED, 60)

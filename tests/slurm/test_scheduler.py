"""The Slurm adapter with a real Slurm: what it renders is understood, and what comes back is read."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from balsam.lib.commands import Answer, Command, run_command
from balsam.platform.scheduler import Cancellation, History, PastBatchJob, QueuedBatchJob, SubmitRequest
from balsam.platform.scheduler.slurm import Slurm
from balsam.states import BatchJobEnd, BatchJobState
from tests.slurm.cluster import SlurmCluster
from tests.waiting import wait_until

B, E = BatchJobState, BatchJobEnd
ADAPTER = Slurm()


class Desk:
    """Commands of the adapter, run where this cluster is found."""

    def __init__(self, slurm: SlurmCluster, directory: Path) -> None:
        self.slurm = slurm
        self.directory = directory
        self.began = datetime.now(UTC)

    def ask(self, command: Command) -> Answer:
        return run_command(command)

    def request(self, script: str, *flags: str, name: str = "bq-1", **values: object) -> SubmitRequest:
        path = self.directory / f"{name}.sh"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        given: dict[str, object] = {
            "script": path, "name": name, "project": "project", "queue": "debug", "num_nodes": 1,
            "wall_time_min": 10, "cwd": self.directory, "output": self.directory / name, "extra_flags": flags,
        }  # fmt: skip
        return SubmitRequest(**{**given, **values})  # type: ignore[arg-type]

    def submit(self, script: str, *flags: str, name: str = "bq-1", **values: object) -> str:
        request = self.request(script, *flags, name=name, **values)
        submission = ADAPTER.parse_submit(self.ask(ADAPTER.submit_command(request)))
        assert submission.scheduler_id, submission
        return submission.scheduler_id

    def listed(self, job_id: str) -> QueuedBatchJob:
        listing = ADAPTER.parse_status(self.ask(ADAPTER.status_command("root")), "root")
        assert listing.is_complete, listing.problem
        return listing.jobs[job_id]

    def wait(self, job_id: str, state: BatchJobState) -> QueuedBatchJob:
        wait_until(lambda: self.listed(job_id).state is state, 60, what=f"{state} of {job_id}")
        return self.listed(job_id)

    def history(self, *job_ids: str, name: str = "") -> History:
        since = self.began - timedelta(days=1)
        return ADAPTER.parse_history(self.ask(ADAPTER.history_command(job_ids, since, name, "root")))

    def account(self, job_id: str) -> PastBatchJob:
        def ended() -> PastBatchJob | None:
            found = self.history(job_id).jobs.get(job_id)
            return found if found is not None and found.end is not None else None

        return wait_until(ended, 60, what=f"account of {job_id}")

    def cancel(self, job_id: str) -> Cancellation:
        return ADAPTER.parse_cancel(self.ask(ADAPTER.cancel_command(job_id)))


@pytest.fixture
def desk(slurm: SlurmCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    if not slurm.has_accounting:
        pytest.skip("slurmdbd or mariadb-server is not installed")
    for name, value in slurm.env.items():
        monkeypatch.setenv(name, value)
    yield Desk(slurm, tmp_path)
    slurm.reset()


def test_batch_job_is_followed_from_its_hold_to_its_end(desk: Desk):
    job_id = desk.submit(
        "pwd; sleep 0.1", "--hold", name="bq-held", num_nodes=2, wall_time_min=90, queue="long"
    )
    held = desk.listed(job_id)
    assert (held.state, held.reason, held.name) == (B.QUEUED, "JobHeldUser", "bq-held")
    assert (held.num_nodes, held.wall_time_min, held.queue, held.project) == (2, 90, "long", "project")
    desk.slurm.run("scontrol", "release", job_id)
    assert desk.wait(job_id, B.FINISHED).end is E.COMPLETED
    past = desk.account(job_id)
    # slurmdbd may not have heard of a batch job before its end, and does not know its name then
    assert (past.end, past.name in ("bq-held", "")) == (E.COMPLETED, True)
    assert past.submitted_at is not None and past.started_at is not None and past.ended_at is not None
    assert desk.began - timedelta(seconds=2) <= past.submitted_at <= past.started_at <= past.ended_at
    assert past.ended_at <= datetime.now(UTC) + timedelta(seconds=2)
    assert (desk.directory / "bq-held.output").read_text() == f"{desk.directory}\n"


def test_failure_has_its_exit_code(desk: Desk):
    job_id = desk.submit("exit 3")
    assert desk.wait(job_id, B.FINISHED).end is E.FAILED
    past = desk.account(job_id)
    assert (past.end, past.reason) == (E.FAILED, "exit code 3:0")


def test_cancelled_batch_job_is_cancelled_once(desk: Desk):
    job_id = desk.submit("sleep 600")
    desk.wait(job_id, B.RUNNING)
    left = ADAPTER.parse_time_left(desk.ask(ADAPTER.time_left_command(job_id)))
    assert left is not None
    assert 9 < left <= 10
    assert desk.cancel(job_id) is Cancellation.ACCEPTED
    assert desk.wait(job_id, B.FINISHED).end is E.CANCELLED
    assert desk.account(job_id).end is E.CANCELLED
    assert desk.cancel(job_id) is Cancellation.GONE
    assert desk.cancel("4000000") is Cancellation.GONE


def test_wall_time_that_is_over_is_a_timeout(desk: Desk):
    """Takes a minute and a half: Slurm's shortest wall time, and its next look at it."""
    job_id = desk.submit("sleep 600", wall_time_min=1)
    desk.wait(job_id, B.RUNNING)
    wait_until(lambda: desk.listed(job_id).state is B.FINISHED, 120, what="timeout")
    assert desk.listed(job_id).end is E.TIMEOUT
    assert desk.account(job_id).end is E.TIMEOUT


def test_requeued_batch_job_waits_again(desk: Desk):
    job_id = desk.submit("sleep 600", "--requeue")
    desk.wait(job_id, B.RUNNING)
    desk.slurm.run("scontrol", "requeuehold", job_id)
    seen = set()

    def waits() -> bool:
        job = desk.listed(job_id)
        seen.add(job.state)
        return job.state is B.QUEUED

    wait_until(waits, 60, what="requeue")
    assert B.FINISHED not in seen
    assert desk.history(job_id).jobs[job_id].end is None


def test_lost_node_is_told(desk: Desk):
    job_id = desk.submit("sleep 600", "--nodelist=n2")
    desk.wait(job_id, B.RUNNING)
    desk.slurm.kill_node("n2")
    desk.slurm.run("scontrol", "update", "nodename=n2", "state=down", "reason=test")
    assert desk.wait(job_id, B.FINISHED).end is E.NODE_FAIL
    assert desk.account(job_id).end is E.NODE_FAIL


def test_batch_job_that_is_requeued_from_a_lost_node_has_not_ended(desk: Desk):
    job_id = desk.submit("sleep 600", "--requeue", "--nodelist=n2")
    desk.wait(job_id, B.RUNNING)
    desk.slurm.kill_node("n2")
    desk.slurm.run("scontrol", "update", "nodename=n2", "state=down", "reason=test")
    seen = []

    def waits() -> bool:
        seen.append(desk.listed(job_id))  # while sacct says NODE_FAIL, of the run that is over
        return seen[-1].state is B.QUEUED and len(seen) > 20

    wait_until(waits, 60, what="requeue from the lost node")
    assert {job.native_state for job in seen if job.state is B.FINISHED} == set()


def test_batch_job_is_found_by_its_name(desk: Desk):
    job_id = desk.submit("sleep 600", name="bq-marked")
    listing = ADAPTER.parse_status(desk.ask(ADAPTER.status_command("root")), "root")
    assert [job.scheduler_id for job in listing.jobs.values() if job.name == "bq-marked"] == [job_id]
    wait_until(lambda: list(desk.history(name="bq-marked").jobs) == [job_id], what="account of the name")
    nobody = desk.history(name="bq-nobody")
    assert (nobody.is_complete, nobody.jobs) == (True, {})


def test_variables_of_the_user_hide_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    job_id = desk.submit("sleep 600", "--hold")
    narrowing = {"PARTITION": "long", "NAMES": "x", "STATES": "R", "FORMAT2": "jobid", "ACCOUNT": "x"}
    for name, value in narrowing.items():
        monkeypatch.setenv(f"SQUEUE_{name}", value)
    assert desk.listed(job_id).state is B.QUEUED
    monkeypatch.setenv("SLURM_TIME_FORMAT", "relative")
    assert wait_until(lambda: desk.history(job_id).jobs.get(job_id)).submitted_at is not None


@pytest.mark.parametrize(
    "values", [{"queue": "nowhere"}, {"num_nodes": 0}, {"extra_flags": ["--no-such-flag"]}]
)
def test_refusal_is_certain(desk: Desk, values: dict[str, object]):
    request = desk.request("true", **values)
    submission = ADAPTER.parse_submit(desk.ask(ADAPTER.submit_command(request)))
    assert submission.refused


def test_idle_nodes_and_projects_are_told(desk: Desk):
    windows = ADAPTER.parse_backfill(desk.ask(ADAPTER.backfill_command()))
    assert [(window.num_nodes, window.wall_time_min) for window in windows["debug"]] == [(4, 60)]
    assert "closed" not in windows
    assert "project" in ADAPTER.parse_projects(desk.ask(ADAPTER.projects_command("root")))


def test_controller_that_hangs_has_said_nothing(desk: Desk):
    job_id = desk.submit("sleep 600", "--hold")
    pid = int((desk.slurm.base / "pids" / "slurmctld").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        status = desk.ask(replace(ADAPTER.status_command("root"), timeout_sec=0.5))
        submit = desk.ask(replace(ADAPTER.submit_command(desk.request("true")), timeout_sec=0.5))
        cancel = desk.ask(replace(ADAPTER.cancel_command(job_id), timeout_sec=0.5))
    finally:
        os.kill(pid, signal.SIGCONT)
    assert not ADAPTER.parse_status(status).is_complete
    assert ADAPTER.parse_submit(submit).is_unknown
    assert ADAPTER.parse_cancel(cancel) is Cancellation.UNKNOWN


def test_array_is_one_batch_job(desk: Desk):
    job_id = desk.submit("exit $((SLURM_ARRAY_TASK_ID - 1))", "--array=1-2%1")
    assert desk.wait(job_id, B.FINISHED).end is E.FAILED
    wait_until(lambda: desk.history(job_id).jobs[job_id].end is E.FAILED, 60, what="account of the array")


def test_batch_job_knows_its_id(desk: Desk):
    job_id = desk.submit("env > env.txt; touch done")
    wait_until((desk.directory / "done").exists)
    lines = (desk.directory / "env.txt").read_text().splitlines()
    found = ADAPTER.allocation(dict(line.partition("=")[::2] for line in lines))
    assert found is not None
    assert found.scheduler_id == job_id

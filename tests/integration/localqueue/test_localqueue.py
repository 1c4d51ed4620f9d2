"""The local queue for real: scripts, keepers and ends."""

import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from balsam.lib.commands import Answer, run_command
from balsam.lib.processes import orphans_of
from balsam.localqueue.ledger import Ledger, default_path
from balsam.localqueue.turns import MARK, kill_leftovers, mark_of
from balsam.platform.scheduler import (
    Cancellation,
    PastBatchJob,
    QueuedBatchJob,
    SubmitRequest,
)
from balsam.platform.scheduler.local import Local
from balsam.states import BatchJobEnd, BatchJobState
from tests.waiting import wait_until


class Queue:
    """The queue of one test, through the adapter."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.adapter = Local()
        self.began = datetime.now(UTC) - timedelta(seconds=1)
        self.ids: list[str] = []

    def submit(self, script: str, *, nodes: int = 1, wall_time_min: float = 5, name: str = "b") -> str:
        path = self.directory / f"job{len(self.ids)}.sh"
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o700)
        request = SubmitRequest(
            script=path, name=name, project="p", queue="q", num_nodes=nodes, wall_time_min=wall_time_min,
            cwd=self.directory, output=path.with_suffix(""),
        )  # fmt: skip
        submission = self.adapter.parse_submit(run_command(self.adapter.submit_command(request)))
        assert submission.scheduler_id, submission
        self.ids.append(submission.scheduler_id)
        return submission.scheduler_id

    def listed(self) -> dict[str, QueuedBatchJob]:
        listing = self.adapter.parse_status(run_command(self.adapter.status_command("me")))
        assert listing.is_complete, listing.problem
        return dict(listing.jobs)

    def state(self, scheduler_id: str) -> BatchJobState | None:
        job = self.listed().get(scheduler_id)
        return job.state if job else None

    def past(self, scheduler_id: str) -> PastBatchJob:
        command = self.adapter.history_command([scheduler_id], self.began)
        return self.adapter.parse_history(run_command(command)).jobs[scheduler_id]

    def wait_end(self, scheduler_id: str) -> PastBatchJob:
        wait_until(lambda: self.past(scheduler_id).end is not None, 60)
        return self.past(scheduler_id)

    def cancel(self, scheduler_id: str) -> Cancellation:
        return self.adapter.parse_cancel(run_command(self.adapter.cancel_command(scheduler_id)))

    def output(self, number: int) -> str:
        return (self.directory / f"job{number}.output").read_text()


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setenv("BALSAM_HOME", str(tmp_path / "home"))
    used = Queue(tmp_path)
    yield used
    for scheduler_id in used.ids:
        used.cancel(scheduler_id)
    wait_until(lambda: not used.listed(), 60)


def processes_of(scheduler_id: str) -> list[int]:
    with Ledger(default_path()) as ledger:
        return orphans_of(MARK, mark_of(ledger, int(scheduler_id)))


def test_script_runs_with_its_environment_and_its_end_is_recorded(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OF_THE_SUBMITTER", "kept")
    job = queue.submit('echo "$OF_THE_SUBMITTER in $PWD as $BALSAM_LOCALQUEUE_JOBID"')
    past = queue.wait_end(job)
    assert past.end is BatchJobEnd.COMPLETED
    assert past.submitted_at <= past.started_at <= past.ended_at
    assert queue.output(0) == f"kept in {queue.directory} as {job}\n"
    assert job not in queue.listed()
    assert queue.adapter.allocation({"BALSAM_LOCALQUEUE_JOBID": job}).scheduler_id == job


def test_script_that_fails_has_failed(queue: Queue):
    past = queue.wait_end(queue.submit("exit 3"))
    assert past.end is BatchJobEnd.FAILED and "code 3" in past.reason


def test_script_that_cannot_start_has_failed(queue: Queue):
    job = queue.submit("true")
    queue.wait_end(job)
    (queue.directory / "job1.sh").write_text("#!/no/such/shell\n")
    (queue.directory / "job1.sh").chmod(0o700)
    request = SubmitRequest(
        script=queue.directory / "job1.sh", name="b", project="", queue="", num_nodes=1, wall_time_min=1,
        cwd=queue.directory, output=queue.directory / "job1",
    )  # fmt: skip
    submission = queue.adapter.parse_submit(run_command(queue.adapter.submit_command(request)))
    past = queue.wait_end(submission.scheduler_id)
    assert past.end is BatchJobEnd.FAILED and "could not be started" in past.reason


def test_batch_jobs_wait_for_a_slot_and_start_in_order(queue: Queue):
    jobs = [queue.submit(f"echo {number} >> order; until [ -e go ]; do sleep 0.01; done") for number in "012"]
    wait_until(lambda: (queue.directory / "order").exists())
    states = [queue.state(job) for job in jobs]
    assert states == [BatchJobState.RUNNING, BatchJobState.QUEUED, BatchJobState.QUEUED]
    (queue.directory / "go").touch()
    for job in jobs:
        queue.wait_end(job)
    assert (queue.directory / "order").read_text() == "0\n1\n2\n"


def test_slots_of_the_settings_run_at_once(queue: Queue, tmp_path: Path):
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "settings.json").write_text(json.dumps({"LOCAL_QUEUE_SLOTS": 3}))
    jobs = [queue.submit("sleep 600", nodes=nodes) for nodes in (1, 2, 1)]
    states = [queue.state(job) for job in jobs]
    assert states == [BatchJobState.RUNNING, BatchJobState.RUNNING, BatchJobState.QUEUED]


def test_batch_job_larger_than_the_machine_gets_all_of_it(queue: Queue):
    first = queue.submit("sleep 600", nodes=8)
    second = queue.submit("true")
    assert [queue.state(job) for job in (first, second)] == [BatchJobState.RUNNING, BatchJobState.QUEUED]
    assert queue.listed()[first].num_nodes == 8


def test_wall_time_is_kept_and_nothing_outlives_it(queue: Queue):
    script = "setsid sleep 600 & trap 'echo asked; exit 0' TERM; touch up; while :; do sleep 0.01; done"
    job = queue.submit(script, wall_time_min=0.05)
    wait_until((queue.directory / "up").exists)
    assert queue.wait_end(job).end is BatchJobEnd.TIMEOUT
    assert queue.output(0).endswith("asked\n")
    assert not processes_of(job)


def test_time_left_is_told(queue: Queue):
    job = queue.submit("sleep 600", wall_time_min=7)
    assert 6 < queue.adapter.parse_time_left(run_command(queue.adapter.time_left_command(job))) <= 7
    assert queue.adapter.parse_time_left(run_command(queue.adapter.time_left_command("999"))) is None


def test_cancel_kills_the_tree(queue: Queue):
    job = queue.submit("trap 'exit 0' TERM; setsid sleep 600 & touch up; while :; do sleep 0.01; done")
    wait_until((queue.directory / "up").exists)
    assert len(processes_of(job)) >= 2
    assert queue.cancel(job) is Cancellation.ACCEPTED
    assert queue.wait_end(job).end is BatchJobEnd.CANCELLED
    assert not processes_of(job)
    assert queue.cancel(job) is Cancellation.GONE


def test_queued_batch_job_is_cancelled_before_it_starts(queue: Queue):
    running = queue.submit("sleep 600")
    waiting = queue.submit("touch started")
    queue.cancel(waiting)
    assert queue.past(waiting).end is BatchJobEnd.CANCELLED
    queue.cancel(running)
    queue.wait_end(running)
    assert not (queue.directory / "started").exists()


def test_killed_keeper_costs_its_batch_job_alone(queue: Queue):
    job = queue.submit("touch up; sleep 600")
    after = queue.submit("true")
    wait_until((queue.directory / "up").exists)
    with Ledger(default_path()) as ledger:
        identity = ledger.get(int(job)).identity
    os.kill(identity.pid, signal.SIGKILL)
    assert wait_until(lambda: (queue.listed(), queue.past(job).end)[1]) is BatchJobEnd.NODE_FAIL
    assert queue.wait_end(after).end is BatchJobEnd.COMPLETED
    assert not processes_of(job)


def test_launch_is_claimed_once(queue: Queue):
    with Ledger(queue.directory / "own.sqlite") as ledger:
        names = ("name", "project", "queue", "script", "cwd", "output")
        number = ledger.add({**dict.fromkeys(names, ""), "num_nodes": 1, "wall_time_min": 1}, {})
        launch = ledger.give_to_keeper(number)
        assert not ledger.claim(number, launch + 1)
        assert ledger.claim(number, launch)
        assert not ledger.claim(number, launch)
        kill_leftovers(mark_of(ledger, number))


def test_bad_request_is_refused_and_takes_no_number(queue: Queue):
    request = SubmitRequest(
        script=queue.directory / "missing.sh", name="b", project="", queue="", num_nodes=1, wall_time_min=1,
        cwd=queue.directory, output=queue.directory / "x",
    )  # fmt: skip
    submission = queue.adapter.parse_submit(run_command(queue.adapter.submit_command(request)))
    assert "missing.sh is missing" in submission.refused
    assert not queue.listed()


def test_free_slots_are_a_backfill_window(queue: Queue):
    assert (
        queue.adapter.parse_backfill(run_command(queue.adapter.backfill_command()))["local"][0].num_nodes == 1
    )
    queue.submit("sleep 600")
    assert queue.adapter.parse_backfill(run_command(queue.adapter.backfill_command())) == {}


def test_found_by_its_name_in_the_account(queue: Queue):
    job = queue.submit("true", name="bmarker1")
    queue.wait_end(job)
    command = queue.adapter.history_command([], queue.began, name="bmarker1")
    assert list(queue.adapter.parse_history(run_command(command)).jobs) == [job]


def test_truncated_answers_are_incomplete(queue: Queue):
    queue.submit("sleep 600", name="one")
    answer = run_command(queue.adapter.status_command("me"))
    for end in range(len(answer.stdout)):
        listing = queue.adapter.parse_status(Answer(0, answer.stdout[:end]))
        assert not listing.is_complete, answer.stdout[:end]

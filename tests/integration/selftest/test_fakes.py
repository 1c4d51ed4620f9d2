"""Every adapter against the fake of its batch system, by its own commands on PATH: one life cycle for all."""

import getpass
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from balsam.lib.commands import Command, run_command
from balsam.platform.scheduler import (
    Cancellation,
    History,
    Listing,
    PastBatchJob,
    QueuedBatchJob,
    Submission,
    SubmitRequest,
    load_scheduler,
)
from balsam.selftest.fakes.mischief import KINDS
from balsam.selftest.fakes.schedulers import SCHEDULERS
from balsam.states import BatchJobEnd, BatchJobState
from tests.integration.selftest.clusters import FakeCluster
from tests.waiting import wait_until

B = BatchJobState
USER = getpass.getuser()
HOLD = "while [ ! -e go ]; do sleep 0.02; done"


class Desk:
    """An adapter, and the fake it asks."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.adapter = load_scheduler(cluster.scheduler)
        self.began = datetime.now(UTC) - timedelta(hours=2)

    def submit(
        self, script: str = "true", *, name: str = "qlaunchabcdefgh", queue: str = "default",
        project: str = "demo", nodes: int = 1, minutes: int = 5,
    ) -> Submission:  # fmt: skip
        work = self.cluster.work
        path = work / f"{name}.sh"
        path.write_text(f"#!/bin/bash\ncd {work}\n{script}\n")
        path.chmod(0o700)
        request = SubmitRequest(
            script=path, name=name, project=project, queue=queue, num_nodes=nodes, wall_time_min=minutes,
            cwd=work, output=path.with_suffix(""),
        )  # fmt: skip
        return self.adapter.parse_submit(run_command(self.adapter.submit_command(request)))

    def submitted(self, script: str = "true", **options: object) -> str:
        submission = self.submit(script, **options)  # type: ignore[arg-type]
        assert submission.scheduler_id, submission
        return submission.scheduler_id

    def listing(self) -> Listing:
        return self.adapter.parse_status(run_command(self.adapter.status_command(USER)), USER)

    def listed(self, number: str) -> QueuedBatchJob | None:
        listing = self.listing()
        assert listing.is_complete, listing.problem
        return listing.jobs.get(number)

    def wait_state(self, number: str, state: BatchJobState) -> QueuedBatchJob:
        def found() -> QueuedBatchJob | None:
            job = self.listed(number)
            assert job is not None
            return job if job.state is state else None

        return wait_until(found, what=state)

    def history(self, *numbers: str, name: str = "") -> History:
        command = self.adapter.history_command(numbers, self.began, name, USER)
        return (
            History(is_complete=False)
            if command is None
            else self.adapter.parse_history(run_command(command))
        )

    def cancel(self, number: str) -> Cancellation:
        return self.adapter.parse_cancel(run_command(self.adapter.cancel_command(number)))

    def wait_end(self, number: str, expected: BatchJobEnd) -> PastBatchJob | None:
        """Wait until a batch job is over for the adapter, and compare how, where that is told."""
        wait_until(lambda: (job := self.listed(number)) is None or job.state is B.FINISHED)
        if self.adapter.history_command([number], self.began) is None:
            return None

        def is_told() -> PastBatchJob | None:
            past = self.history(number).jobs.get(number)
            return past if past is not None and past.end is not None else None

        past = wait_until(is_told, what="the account tells of the end")
        assert past.end is expected, past
        return past

    def ask(self, command: Command | None) -> str:
        return "" if command is None else run_command(command).stdout


@pytest.fixture(params=SCHEDULERS)
def make(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Desk]]:
    made: list[FakeCluster] = []
    path = f"{Path('/usr/bin')}:/bin"

    def make_one(**options: object) -> Desk:
        made.append(FakeCluster(request.param, tmp_path / "fake", **options))
        monkeypatch.setenv("PATH", f"{made[-1].commands}:{path}")
        monkeypatch.chdir(made[-1].work)
        return Desk(made[-1])

    yield make_one
    for cluster in made:
        cluster.stop()


def test_batch_job_is_followed_from_the_queue_to_its_end(make: Callable[..., Desk]):
    desk = make(num_nodes=2)
    first = desk.submitted(HOLD, name="qlaunchfirstfir", nodes=2)
    second = desk.submitted("echo here", name="qlaunchsecondse", minutes=7)

    running = desk.wait_state(first, B.RUNNING)
    waiting = desk.wait_state(second, B.QUEUED)
    assert (running.wall_time_min, running.queue) == (5, "default")
    assert (waiting.wall_time_min, waiting.queue) == (7, "default")
    assert (running.num_nodes, waiting.num_nodes) in ((2, 1), (None, None))  # LSF tells of slots
    if desk.adapter.lists_names:
        assert (running.name, waiting.name) == ("qlaunchfirstfir", "qlaunchsecondse")
    assert desk.history(first).jobs.get(first, PastBatchJob(scheduler_id=first)).end is None

    (desk.cluster.work / "go").touch()
    desk.wait_end(first, BatchJobEnd.COMPLETED)
    past = desk.wait_end(second, BatchJobEnd.COMPLETED)
    if past is not None and past.started_at and past.ended_at:
        assert timedelta() <= past.ended_at - past.started_at < timedelta(minutes=1)
        assert abs(past.ended_at - datetime.now(UTC)) < timedelta(minutes=1)
    wait_until(lambda: any("here" in path.read_text() for path in desk.cluster.work.glob("qlaunchsecondse*")))


def test_output_comes_to_files_of_the_name_asked_for(make: Callable[..., Desk]):
    desk = make()
    number = desk.submitted("echo to stdout; echo to stderr >&2")
    desk.wait_end(number, BatchJobEnd.COMPLETED)
    texts = [p.read_text() for p in desk.cluster.work.glob("qlaunchabcdefgh.*") if p.suffix != ".sh"]
    assert "to stdout\n" in "".join(texts) and "to stderr\n" in "".join(texts)


@pytest.mark.parametrize(
    ("script", "minutes", "end"),
    [("exit 3", 5, BatchJobEnd.FAILED), ("sleep 60", 1, BatchJobEnd.TIMEOUT)],
    ids=["failed", "timeout"],
)
def test_the_way_it_ends_is_told(make: Callable[..., Desk], script: str, minutes: int, end: BatchJobEnd):
    desk = make(minute_sec=0.5)
    desk.wait_end(desk.submitted(script, minutes=minutes), end)


def test_cancelling_ends_it_and_is_told(make: Callable[..., Desk]):
    desk = make(num_nodes=1)
    running, waiting = desk.submitted("sleep 60", name="qlaunchrunningr"), desk.submitted("true")
    desk.wait_state(running, B.RUNNING)
    for number in (waiting, running):
        assert desk.cancel(number) is Cancellation.ACCEPTED
        desk.wait_end(number, BatchJobEnd.CANCELLED)


def test_cancelling_one_that_is_not_there_says_so(make: Callable[..., Desk]):
    desk = make()
    number = desk.submitted("true")
    desk.wait_end(number, BatchJobEnd.COMPLETED)
    unknown = number.replace(number.split(".")[0], "987654")
    assert desk.cancel(unknown) is Cancellation.GONE


@pytest.mark.parametrize(
    "wish", [{"queue": "nonesuch"}, {"queue": "shut"}, {"project": "x"}, {"nodes": 9}], ids=str
)
def test_refusal_is_told_apart_and_has_the_words(make: Callable[..., Desk], wish: dict[str, object]):
    desk = make(queues={"default": {}, "shut": {"is_closed": 1}}, projects=["demo"])
    submission = desk.submit(**wish)  # type: ignore[arg-type]
    assert submission.refused and not submission.scheduler_id
    assert not desk.cluster.taken()


def test_batch_job_knows_itself_and_its_time_left(make: Callable[..., Desk]):
    desk = make()
    number = desk.submitted(f"env > env.part; mv env.part env.txt; {HOLD}", minutes=30)
    path = desk.cluster.work / "env.txt"
    wait_until(path.exists)
    environ = dict(line.partition("=")[::2] for line in path.read_text().splitlines())
    allocation = desk.adapter.allocation(environ)
    assert allocation is not None and allocation.scheduler_id == number
    assert desk.adapter.allocation({"PATH": "/bin"}) is None
    command = desk.adapter.time_left_command(number)
    if command is not None:
        left = desk.adapter.parse_time_left(run_command(command))
        assert left is not None and 25 <= left <= 30
    listed = desk.listed(number)
    assert listed is not None
    if listed.time_remaining_min is not None:
        assert 25 <= listed.time_remaining_min <= 30
    (desk.cluster.work / "go").touch()


def test_idle_nodes_and_projects_are_found(make: Callable[..., Desk]):
    desk = make(num_nodes=3, projects=["alpha", "demo"])
    command = desk.adapter.backfill_command()
    if command is not None:
        windows = desk.adapter.parse_backfill(run_command(command))
        assert windows and all(found[0].num_nodes == 3 for found in windows.values())
    projects = desk.adapter.projects_command(USER)
    if projects is not None:
        assert desk.adapter.parse_projects(run_command(projects)) == ["alpha", "demo"]


def test_a_name_is_found_in_the_account(make: Callable[..., Desk]):
    desk = make()
    desk.submitted("true", name="qlaunchotherone")
    number = desk.submitted("true", name="qlaunchthisonee")
    past = desk.wait_end(number, BatchJobEnd.COMPLETED)
    if past is not None:
        found = desk.history(name="qlaunchthisonee").jobs
        assert {job.scheduler_id for job in found.values() if job.name == "qlaunchthisonee"} == {number}


def test_batch_job_that_is_held_waits(make: Callable[..., Desk]):
    desk = make(num_nodes=1)
    running = desk.submitted(HOLD, name="qlaunchrunningr")
    number = desk.submitted("true")
    desk.cluster.misbehave("hold")
    assert desk.wait_state(number, B.QUEUED).native_state
    (desk.cluster.work / "go").touch()
    desk.wait_end(running, BatchJobEnd.COMPLETED)
    assert desk.wait_state(number, B.QUEUED)


#: What the account says of a batch job that suffers this.
SUFFERED = {
    "delete": {BatchJobEnd.CANCELLED},
    "preempt": {BatchJobEnd.PREEMPTED, BatchJobEnd.CANCELLED},
    "node-failure": {BatchJobEnd.NODE_FAIL, BatchJobEnd.FAILED},
    "out-of-memory": {BatchJobEnd.OUT_OF_MEMORY, BatchJobEnd.FAILED},
}


@pytest.mark.parametrize("kind", SUFFERED)
def test_what_ended_it_is_told(make: Callable[..., Desk], kind: str):
    desk = make()
    number = desk.submitted("sleep 60")
    wait_until(lambda: desk.cluster.taken()[0].supervisor)
    desk.cluster.misbehave(kind)
    wait_until(lambda: (job := desk.listed(number)) is None or job.state is B.FINISHED)
    past = desk.history(number).jobs.get(number)
    if past is not None:
        assert past.end in SUFFERED[kind], past


def test_batch_job_that_is_requeued_runs_again(make: Callable[..., Desk]):
    desk = make()
    number = desk.submitted(f"echo x >> starts; {HOLD}")
    starts = desk.cluster.work / "starts"
    wait_until(starts.exists)
    desk.cluster.misbehave("requeue")
    job = desk.listed(number)
    assert job is not None and job.state in (B.QUEUED, B.RUNNING)
    wait_until(lambda: desk.listed(number) and len(starts.read_text().split()) == 2)
    (desk.cluster.work / "go").touch()
    desk.wait_end(number, BatchJobEnd.COMPLETED)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"hang", "hang-after", "flood"}))
def test_no_mischief_is_taken_for_an_end_or_a_crash(make: Callable[..., Desk], kind: str):
    desk = make()
    first = desk.submitted("sleep 60", name="qlaunchfirstfir")
    wait_until(lambda: desk.cluster.taken()[0].supervisor)
    desk.cluster.misbehave(kind, times=6)

    second = desk.submit("sleep 60", name="qlaunchsecondse")
    listing, history = desk.listing(), desk.history(first)
    cancelled = desk.cancel(first)

    accepted = {job.name for job in desk.cluster.taken()}
    if second.refused:
        assert "qlaunchsecondse" not in accepted
    if second.scheduler_id:
        assert "qlaunchsecondse" in accepted
    if KINDS[kind][0] != "job" and kind != "late" and listing.is_complete:
        assert first in listing.jobs and listing.jobs[first].state in (B.QUEUED, B.RUNNING)
    for past in history.jobs.values():
        assert past.end is None or KINDS[kind][0] == "job"
    if cancelled is Cancellation.GONE:
        assert KINDS[kind][0] == "job"


def test_own_batch_job_is_found_among_100000_others(make: Callable[..., Desk]):
    desk = make()
    number = desk.submitted("sleep 60")
    desk.cluster.misbehave("flood")
    assert number in desk.listing().jobs

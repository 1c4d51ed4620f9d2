"""What a scheduler's answers do to batch jobs: only a word of it, or long silence of all it has, ends one."""

from datetime import UTC, datetime, timedelta

import pytest

from balsam.batch import Desk, refresh, submit
from balsam.lib.commands import Answer
from balsam.platform.scheduler import PastBatchJob
from balsam.schemas.batch_jobs import BatchJobInfo
from balsam.states import BatchJobEnd, BatchJobState
from tests.integration.batch.conftest import let_pass
from tests.tiny_scheduler import LOST, TinyScheduler

B = BatchJobState


@pytest.fixture
def queued(desk: Desk, intent: BatchJobInfo) -> BatchJobInfo:
    """A batch job that the scheduler has."""
    return submit(desk, intent.batch_job_id)


def now(desk: Desk, info: BatchJobInfo) -> BatchJobInfo:
    """A batch job after a refresh."""
    refresh(desk)
    (found,) = desk.client.batch_jobs(live_only=False, ids=[info.batch_job_id])
    return found


def test_a_batch_job_is_followed_to_its_end(desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo):
    tiny.put("101", native_state="PD", reason="Resources")
    assert (now(desk, queued).state, now(desk, queued).reason) == (B.QUEUED, "Resources")
    tiny.put("101", state=B.RUNNING, native_state="R", reason="")
    assert (now(desk, queued).state, now(desk, queued).native_state) == (B.RUNNING, "R")
    ended = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    tiny.end("101", BatchJobEnd.TIMEOUT, reason="TimeLimit", started_at=ended, ended_at=ended)
    assert refresh(desk).ended == (queued.batch_job_id,)
    info = now(desk, queued)
    assert (info.state, info.end, info.reason) == (B.FINISHED, BatchJobEnd.TIMEOUT, "TimeLimit")
    assert info.started == info.ended == ended


@pytest.mark.parametrize("end", [end for end in BatchJobEnd if end is not BatchJobEnd.VANISHED])
def test_every_end_that_the_account_tells_is_recorded(
    desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo, end: BatchJobEnd
):
    tiny.end("101", end)
    assert now(desk, queued).end is end


@pytest.mark.parametrize(
    "answer",
    [
        LOST,
        Answer(1, stderr="slurm_load_jobs error: Unable to contact slurm controller"),
        Answer(0, "", "", "cut"),
    ],
)
def test_a_listing_that_cannot_be_read_ends_nothing(
    desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo, answer: Answer
):
    tiny.jobs.clear()
    tiny.before = lambda word: answer if word == "status" else None
    for _ in range(3):
        let_pass(100_000)
        assert refresh(desk).problem
    assert now(desk, queued).state is B.QUEUED
    assert now(desk, queued).missing_since is None


def test_what_neither_listing_nor_account_knows_has_vanished_after_a_while(
    desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo
):
    tiny.jobs.clear()
    assert now(desk, queued).state is B.QUEUED
    let_pass(20)
    assert now(desk, queued).state is B.QUEUED
    let_pass(20)
    info = now(desk, queued)
    assert (info.state, info.end) == (B.FINISHED, BatchJobEnd.VANISHED)
    assert "knows nothing" in info.reason


def test_an_account_that_cannot_be_read_leaves_more_time(
    desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo
):
    tiny.jobs.clear()
    tiny.has_accounting = False
    assert refresh(desk).problem == "no accounting here"
    let_pass(100)
    assert now(desk, queued).state is B.QUEUED
    let_pass(600)
    assert now(desk, queued).end is BatchJobEnd.VANISHED


def test_an_account_that_says_it_runs_for_ever_is_not_believed_for_ever(
    desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo
):
    tiny.jobs.clear()
    tiny.past["101"] = PastBatchJob(scheduler_id="101", name=queued.marker)
    refresh(desk)
    let_pass(100)
    assert now(desk, queued).state is B.QUEUED
    let_pass(600)
    assert now(desk, queued).end is BatchJobEnd.VANISHED


def test_a_listing_that_forgets_for_a_moment_ends_nothing(
    desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo
):
    for _ in range(3):
        job = tiny.jobs.pop("101")
        assert now(desk, queued).missing_since is not None
        tiny.jobs["101"] = job
        let_pass(20)
        assert now(desk, queued).missing_since is None


def test_clocks_that_differ_by_hours_do_not_matter(desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo):
    past = datetime.now(UTC) - timedelta(hours=30)
    tiny.end("101", BatchJobEnd.COMPLETED, submitted_at=past, started_at=past, ended_at=past)
    assert now(desk, queued).end is BatchJobEnd.COMPLETED


def test_the_account_of_an_older_batch_job_with_that_number_is_not_its_own(
    desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo
):
    tiny.jobs.clear()
    tiny.past["101"] = PastBatchJob(scheduler_id="101", name="of last year", end=BatchJobEnd.FAILED)
    assert now(desk, queued).end is None


def test_a_listing_that_shows_an_end_without_saying_how_has_the_account_asked(
    desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo
):
    tiny.put("101", state=B.FINISHED, native_state="F")
    tiny.past["101"] = PastBatchJob(scheduler_id="101", name=queued.marker, end=BatchJobEnd.OUT_OF_MEMORY)
    assert now(desk, queued).end is BatchJobEnd.OUT_OF_MEMORY


def test_a_listing_that_shows_an_end_is_believed_where_nobody_knows_more(
    desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo
):
    tiny.put("101", state=B.FINISHED, native_state="F")
    info = now(desk, queued)
    assert (info.end, info.native_state) == (BatchJobEnd.UNKNOWN, "F")


def test_a_requeued_and_a_preempted_batch_job_go_on(desk: Desk, tiny: TinyScheduler, queued: BatchJobInfo):
    tiny.put("101", state=B.RUNNING)
    refresh(desk)
    tiny.put("101", state=B.QUEUED, native_state="REQUEUED")
    assert now(desk, queued).state is B.QUEUED
    job = tiny.jobs["101"]
    tiny.end("101", BatchJobEnd.PREEMPTED)
    assert now(desk, queued).end is BatchJobEnd.PREEMPTED
    tiny.jobs["101"] = job
    assert (now(desk, queued).state, now(desk, queued).end) == (B.QUEUED, None)


def test_batch_jobs_that_are_not_balsams_count_while_they_are_there(desk: Desk, tiny: TinyScheduler):
    tiny.put("5", name="mine", queue="debug")
    refresh(desk)
    assert [(info.queue, info.from_balsam) for info in desk.client.batch_jobs()] == [("debug", False)]
    tiny.before = lambda word: LOST if word == "status" else None
    tiny.jobs.clear()
    refresh(desk)
    assert len(desk.client.batch_jobs()) == 1
    tiny.before = lambda word: None
    refresh(desk)
    assert desk.client.batch_jobs(live_only=False) == []


def test_a_refresh_finds_a_submission_whose_process_died(
    desk: Desk, tiny: TinyScheduler, intent: BatchJobInfo
):
    desk.client.begin_submission(intent.batch_job_id, 60)
    tiny.put("150", name=intent.marker, state=B.RUNNING)
    info = now(desk, intent)
    assert (info.state, info.scheduler_id) == (B.RUNNING, "150")
    assert info.command.endswith(f"qlaunch{intent.batch_job_id}.sh")

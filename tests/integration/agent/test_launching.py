"""Planning and submitting on a real database, at a scheduler inside the test that can misbehave."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F

from balsam.agent import patience, settling
from balsam.agent.health import Board
from balsam.agent.launching import Launching
from balsam.agent.policy_watch import PolicyWatch
from balsam.agent.sync import SchedulerSync
from balsam.client import Client
from balsam.core.models import BalsamJob, JobEvent, QueuedLaunch
from balsam.exceptions import BalsamError
from balsam.lib.commands import Answer
from balsam.schemas.batch_jobs import BatchJobRequest
from balsam.schemas.batch_limits import ASKED_QUEUE
from balsam.schemas.sessions import SessionRequest
from balsam.states import BatchJobEnd, BatchJobState
from tests.services import ServiceHome, policy_section
from tests.tiny_scheduler import LOST, TinyScheduler

pytestmark = pytest.mark.usefixtures("db")


class Bench:
    """The loops that submit, called one by one."""

    def __init__(self, tmp_path: Path) -> None:
        self.home = ServiceHome(tmp_path / "home")
        self.home.configure(policy_section("q", (1, 2, 0, 1), queued=2), policy_section("shut", submit="off"))
        self.tiny = TinyScheduler()
        self.db_path = tmp_path
        self.board = Board()
        self.restart()

    def restart(self) -> None:
        """Begin again, as another process."""
        client = Client()
        self.watch = PolicyWatch(self.board)
        self.sync = SchedulerSync(lambda: self.tiny.desk(self.db_path), self.board, lambda: None)
        self.launching = Launching(
            client, lambda: self.tiny.desk(self.db_path), self.sync, self.watch, self.board
        )

    def cycle(self) -> float:
        """Bring the batch jobs up to date, then plan."""
        self.sync.cycle()
        return self.launching.cycle()

    def end(self, scheduler_id: str, end: BatchJobEnd = BatchJobEnd.COMPLETED) -> None:
        """Let a batch job end."""
        self.tiny.end(scheduler_id, end)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("BALSAM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(settling, "_QUIET_SEC", 0.0)
    return Bench(tmp_path)


@pytest.fixture
def add_jobs() -> Callable[..., None]:
    def add(count: int, state: str = "PREPROCESSED", **fields: object) -> None:
        jobs = BalsamJob.objects.bulk_create(
            BalsamJob(name=f"j{n}", workflow="w", application="a", **fields) for n in range(count)
        )
        BalsamJob.objects.filter(pk__in=[job.pk for job in jobs]).update(state=state)

    return add


def pending_for(seconds: float) -> None:
    """Make all that is intended so much older."""
    ago = timedelta(seconds=seconds)
    QueuedLaunch.objects.update(created=F("created") - ago)


def test_launches_are_submitted_for_work_up_to_the_limit(bench: Bench, add_jobs: Callable[..., None]):
    assert bench.cycle() > 0
    assert not bench.tiny.submitted
    add_jobs(100, wall_time_minutes=30)
    assert bench.cycle() == 0, "everything is looked at again"
    assert bench.cycle() > 0
    assert len(bench.tiny.submitted) == 2
    launches = QueuedLaunch.objects.values_list("queue", "nodes", "wall_minutes", "job_mode", "status")
    assert set(launches) == {("q", 2, 60, "serial", "queued")}
    assert "q has 2 of 2 batch jobs, shut is closed" in bench.board.document()["waits_for"]


def test_jobs_of_the_user_that_are_not_balsams_fill_a_queue_too(bench: Bench, add_jobs: Callable[..., None]):
    bench.tiny.put("7", name="theirs", queue="q")
    bench.tiny.put("8", name="theirs", queue="q", state=BatchJobState.RUNNING)
    add_jobs(1)
    bench.cycle()
    assert not bench.tiny.submitted
    del bench.tiny.jobs["7"]
    bench.cycle()
    assert len(bench.tiny.submitted) == 1


def test_jobs_that_fit_nowhere_are_told_once(
    bench: Bench, add_jobs: Callable[..., None], caplog: pytest.LogCaptureFixture
):
    add_jobs(2, num_nodes=3)
    bench.cycle()
    bench.cycle()
    told = [record.message for record in caplog.records if "No launch" in record.message]
    assert told == [
        "No launch is submitted for 2 jobs of 3 nodes for 1 min: "
        "no open queue has a band of more than 2 nodes"
    ]
    assert bench.board.document()["unfit"] == [told[0].removeprefix("No launch is submitted for ")]


@pytest.mark.parametrize("answer", [LOST, Answer(1, stderr="no"), Answer(0, "}")])
def test_nothing_is_submitted_while_the_scheduler_cannot_be_read(
    bench: Bench, add_jobs: Callable[..., None], answer: Answer
):
    add_jobs(1)
    bench.tiny.before = lambda word: answer if word == "status" else None
    with pytest.raises(BalsamError, match="cannot be read"):
        bench.sync.cycle()
    with pytest.raises(BalsamError, match="cannot be read"):
        bench.launching.cycle()
    assert not bench.tiny.submitted
    bench.tiny.before = lambda word: None
    bench.cycle()
    assert len(bench.tiny.submitted) == 1


def test_lost_answer_to_a_submission_makes_no_second_launch(bench: Bench, add_jobs: Callable[..., None]):
    add_jobs(1)
    bench.tiny.after = lambda word: LOST if word == "submit" else None
    for _ in range(4):
        bench.cycle()
    assert len(bench.tiny.submitted) == 1
    assert QueuedLaunch.objects.get().scheduler_id == bench.tiny.submitted[0][0]


def test_refused_launch_holds_its_queue_back(
    bench: Bench, add_jobs: Callable[..., None], monkeypatch: pytest.MonkeyPatch
):
    add_jobs(1)
    refusal = Answer(1, stderr="tiny: no money left")
    bench.tiny.before = lambda word: refusal if word == "submit" else None
    for _ in range(3):
        pause_sec = bench.cycle()
    assert 0 < pause_sec <= 30
    assert QueuedLaunch.objects.count() == 1
    note = bench.board.document()["queues"][0]["note"]
    assert "tiny refused a launch: tiny: no money left; the next launch in" in note
    bench.tiny.before = lambda word: None
    monkeypatch.setattr(patience.Patience, "held_back", lambda self: {})
    bench.cycle()
    assert len(bench.tiny.submitted) == 1


def test_launch_that_ran_nothing_holds_its_queue_back(bench: Bench, add_jobs: Callable[..., None]):
    add_jobs(1)
    bench.cycle()
    bench.end(bench.tiny.submitted[0][0], BatchJobEnd.FAILED)
    for _ in range(3):
        bench.cycle()
    assert len(bench.tiny.submitted) == 1
    assert "ended (failed) and had run no job" in bench.board.document()["queues"][0]["note"]


def test_launch_that_ran_a_job_is_followed_by_another_at_once(bench: Bench, add_jobs: Callable[..., None]):
    add_jobs(2)
    bench.cycle()
    request = SessionRequest(kind="launcher", host="h", boot_id="b", pid=1, start_time=1)
    session = Client().open_session(request)
    JobEvent.objects.create(
        job_id=BalsamJob.objects.all()[0].pk,
        from_state="PREPROCESSED",
        to_state="RUNNING",
        session_id=session.session_id,
    )
    bench.end(bench.tiny.submitted[0][0], BatchJobEnd.CANCELLED)
    bench.cycle()
    assert len(bench.tiny.submitted) == 2


def test_next_service_watches_the_launches_of_the_one_before(bench: Bench, add_jobs: Callable[..., None]):
    add_jobs(1)
    bench.cycle()
    assert QueuedLaunch.objects.get().optional_params == {ASKED_QUEUE: "q"}
    bench.restart()
    bench.cycle()
    bench.end(bench.tiny.submitted[0][0])
    for _ in range(3):
        bench.cycle()
    assert len(bench.tiny.submitted) == 1
    assert "had run no job" in bench.board.document()["queues"][0]["note"]


def test_intent_whose_submitter_has_died_is_submitted(bench: Bench):
    request = BatchJobRequest(
        scheduler="tiny", project="p", queue="q", num_nodes=1, wall_time_min=9, job_mode="mpi"
    )
    Client().intend_batch_job(request)
    bench.cycle()
    assert not bench.tiny.submitted, "its submitter may be about it"
    pending_for(60)
    bench.cycle()
    assert len(bench.tiny.submitted) == 1


def test_intent_that_cannot_be_submitted_does_not_keep_others_from_it(
    bench: Bench, add_jobs: Callable[..., None]
):
    bad = BatchJobRequest(
        scheduler="tiny", project="a b", queue="x", num_nodes=1, wall_time_min=9, job_mode="mpi"
    )
    Client().intend_batch_job(bad)
    pending_for(60)
    add_jobs(1)
    bench.cycle()
    assert len(bench.tiny.submitted) == 1
    assert QueuedLaunch.objects.get(project="a b").status == "submit_failed"


def test_work_that_launches_with_a_filter_will_do_is_not_planned_again(
    bench: Bench, add_jobs: Callable[..., None]
):
    request = BatchJobRequest(
        scheduler="tiny", project="p", queue="x", num_nodes=2, wall_time_min=60, job_mode="mpi", workflow="w"
    )
    Client().intend_batch_job(request)
    add_jobs(10)
    bench.cycle()
    assert not bench.tiny.submitted
    assert bench.board.document()["waits_for"].endswith("they are to do 10 jobs")
    BalsamJob.objects.update(workflow="other")
    bench.cycle()
    assert len(bench.tiny.submitted) == 1

"""A scheduler that loses, delays, garbles and forgets at random.

No intent ever has two live batch jobs, and in the end the database knows what became of each.
"""

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from balsam.batch import cancel, refresh, submit
from balsam.core.models import QueuedLaunch
from balsam.exceptions import BalsamError
from balsam.lib.commands import Answer, Command
from balsam.platform.scheduler import QueuedBatchJob
from balsam.schemas.batch_jobs import BatchJobRequest
from balsam.states import BATCH_JOB_END_STATES, BatchJobEnd, BatchJobState
from tests.integration.batch.conftest import let_pass
from tests.tiny_scheduler import LOST, TinyScheduler

REQUEST = BatchJobRequest(
    scheduler="tiny", project="p", queue="q", num_nodes=1, wall_time_min=9, job_mode="mpi"
)
#: More seeds than these: BALSAM_TEST_SEEDS.
SEEDS = range(int(os.environ.get("BALSAM_TEST_SEEDS", "4")))
STEPS = 150
#: The scheduler takes a submission that it was sent no later than this.
LONGEST_DELAY_SEC = 100.0
#: A listing forgets a batch job that it has shown no longer than this.
LONGEST_HIDING_SEC = 25.0


class Moody(TinyScheduler):
    """Misbehaves in every way it can, by the moods of a random generator, on a clock of its own."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.random = random.Random(seed)
        self.mood = 0.4
        self.now_sec = 0.0
        #: Submissions on their way: (when they arrive, the words).
        self.underway: list[tuple[float, list[str]]] = []
        self.hidden: list[QueuedBatchJob] = []
        self.hidden_sec = 0.0
        self.most_live = Counter[str]()

    def run(self, command: Command) -> Answer:
        word, *words = command.argv
        if self.random.random() > self.mood:
            return super().run(command)
        match word, self.random.randrange(4):
            case "submit", 0:
                delay_sec = self.random.uniform(0, LONGEST_DELAY_SEC)
                self.underway.append((self.now_sec + delay_sec, words))
            case "submit", 1:
                super().run(command)
            case "submit", 2:
                return Answer(1, stderr="tiny: too many batch jobs")
        return self.random.choice([LOST, Answer(0, "\0garbage"), Answer(0, "", problem="cut short")])

    def live(self) -> Counter[str]:
        """How many batch jobs of each name are there, shown or hidden."""
        return Counter(job.name for job in (*self.jobs.values(), *self.hidden))

    def pass_time(self, seconds: float) -> None:
        """Let the clocks of everybody go on, and things happen."""
        self.now_sec += seconds
        let_pass(seconds)
        self.hidden_sec += seconds
        if self.hidden_sec > LONGEST_HIDING_SEC:
            self.show_all()
        arrived = [words for when, words in self.underway if when <= self.now_sec]
        self.underway = [(when, words) for when, words in self.underway if when > self.now_sec]
        for words in arrived:
            self._submit(*words)
        self.most_live |= self.live()

    def show_all(self) -> None:
        """List again what was forgotten for a moment."""
        self.jobs |= {job.scheduler_id: job for job in self.hidden}
        self.hidden = []

    def live_on(self) -> None:
        """Do one thing to one batch job."""
        self.show_all()
        if not self.jobs:
            return
        scheduler_id = self.random.choice(list(self.jobs))
        match self.random.randrange(5):
            case 0:
                self.put(scheduler_id, state=BatchJobState.RUNNING, native_state="R")
            case 1:
                self.put(scheduler_id, state=BatchJobState.QUEUED, native_state="PD")
            case 2:
                self.put(scheduler_id, state=BatchJobState.UNKNOWN, native_state="??")
            case 3 if self.mood and QueuedLaunch.objects.filter(scheduler_id=scheduler_id).exists():
                self.hidden.append(self.jobs.pop(scheduler_id))
                self.hidden_sec = 0.0
            case _:
                end = self.random.choice([BatchJobEnd.COMPLETED, BatchJobEnd.NODE_FAIL, BatchJobEnd.TIMEOUT])
                self.end(scheduler_id, end)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_batch_job_is_lost_or_doubled(db: Path, tmp_path: Path, seed: int) -> None:
    moody = Moody(seed)
    desk = moody.desk(tmp_path)
    for _ in range(STEPS):
        match moody.random.randrange(6):
            case 0:
                try:
                    submit(desk, desk.client.intend_batch_job(REQUEST).batch_job_id)
                except BalsamError as error:
                    raise AssertionError(f"seed {seed}") from error
            case 1 | 2:
                refresh(desk)
            case 3:
                for info in desk.client.batch_jobs():
                    submit(desk, info.batch_job_id)
            case 4 if moody.random.random() < 0.2 and (live := desk.client.batch_jobs()):
                cancel(desk, moody.random.choice(live).batch_job_id)
            case _:
                moody.live_on()
        moody.pass_time(moody.random.expovariate(1 / 20))

    moody.mood = 0.0
    for _ in range(8):  # good days
        refresh(desk)
        for info in desk.client.batch_jobs():
            submit(desk, info.batch_job_id)
        moody.pass_time(200)
    for scheduler_id in list(moody.jobs):
        moody.end(scheduler_id, BatchJobEnd.COMPLETED)
    refresh(desk)

    assert max(moody.most_live.values()) == 1, f"seed {seed}: {moody.most_live}"
    infos = desk.client.batch_jobs(live_only=False)
    assert {info.state for info in infos} <= set(BATCH_JOB_END_STATES), f"seed {seed}"
    taken = dict(moody.submitted)
    for info in infos:
        assert info.from_balsam
        known = {i for i, name in taken.items() if name == info.marker}
        assert (info.scheduler_id in known) == bool(known), f"seed {seed}: {info}"
    assert len(infos) > 10

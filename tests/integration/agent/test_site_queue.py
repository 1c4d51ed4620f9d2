"""The loops of a site that ask for batch jobs: what they do, and what they read for it."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from balsam.agent.elastic_queue import ElasticQueue
from balsam.agent.health import Board
from balsam.agent.site_queue import SiteQueue
from balsam.agent.sync import SchedulerSync
from balsam.client import Client, InProcess
from balsam.config.site_settings import ElasticQueueSettings, QueueLimit, SchedulerSettings, Settings
from balsam.core.models import BalsamJob, QueuedLaunch
from balsam.schemas.batch_jobs import BatchJobRequest
from balsam.states import JobState as S
from tests.jobs import add_jobs, claim, open_session, report
from tests.tiny_scheduler import TinyScheduler

pytestmark = pytest.mark.usefixtures("db")
RULES = SchedulerSettings(
    allowed_queues={"q": QueueLimit(max_nodes=4, max_walltime=60, max_queued_jobs=3)},
)


class Counting(InProcess):
    """Counts what is asked of the core; of one batch job by its number apart."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def call(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        self.calls[f"{operation} by id" if kwargs.get("ids") else operation] += 1
        return super().call(operation, *args, **kwargs)


class Bench:
    """An agent's queue at a scheduler inside the test."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.counting, self.tiny, self.directory = Counting(), TinyScheduler(), directory
        self.settings = Settings(scheduler=RULES, **settings)
        self.sync = SchedulerSync(lambda: self.tiny.desk(directory), Board(), lambda: None)
        self.client = Client(self.counting)
        self.queue = SiteQueue(
            self.client, 1, self.settings, lambda: self.tiny.desk(directory), self.sync, Board()
        )

    def ask(self, count: int, **shape: Any) -> None:
        known = {"scheduler": "", "project": "p", "queue": "q", "num_nodes": 1, "wall_time_min": 9}
        for _ in range(count):
            self.client.intend_batch_job(BatchJobRequest(job_mode="mpi", **{**known, **shape}))


def states() -> Mapping[str, int]:
    return Counter(QueuedLaunch.objects.values_list("status", flat=True))


@pytest.mark.parametrize("count", [4, 12])
def test_all_that_is_pending_is_decided_by_what_was_read_once(tmp_path: Path, count: int):
    bench = Bench(tmp_path)
    bench.ask(count)
    bench.sync.cycle()
    bench.counting.calls.clear()
    bench.queue.cycle()
    assert states() == {"queued": 3, "pending_submission": count - 3}
    assert bench.counting.calls["batch_jobs.list"] == 1
    waiting = QueuedLaunch.objects.filter(status="pending_submission")
    assert {row.reason for row in waiting} == {"Waits: the queue q has 3 of 3 batch jobs"}


def test_what_the_scheduler_has_meanwhile_is_read_anew(tmp_path: Path):
    bench = Bench(tmp_path)
    bench.tiny.put("7", name="of another site")
    bench.ask(4)
    bench.queue.cycle()
    assert states() == {"queued": 2 + 1, "pending_submission": 2}, "one is not ours"
    assert bench.counting.calls["batch_jobs.list"] == 2


def test_batch_job_that_the_settings_do_not_allow_any_more_is_refused(tmp_path: Path):
    bench = Bench(tmp_path)
    bench.ask(1, num_nodes=5)
    bench.ask(1)
    bench.queue.cycle()
    assert states() == {"submit_failed": 1, "queued": 1}
    assert "5 nodes are more than the 4" in QueuedLaunch.objects.get(status="submit_failed").reason


def test_running_jobs_are_counted_by_the_database(tmp_path: Path):
    elastic = ElasticQueueSettings(
        submit_queue="q", min_num_nodes=1, max_num_nodes=50, max_queued_jobs=9, use_backfill=False
    )
    bench = Bench(tmp_path, elastic_queue=elastic)
    queue = ElasticQueue(bench.client, 1, bench.settings, lambda: bench.tiny.desk(tmp_path), lambda: None)
    session = open_session()
    for shape in ({"num_nodes": 2}, {"node_packing_count": 4}):
        add_jobs(4, **shape)
        report(session, claim(session), S.RUNNING)
    add_jobs(6, num_nodes=3)
    assert BalsamJob.objects.filter(state="RUNNING").count() == 8
    load = queue._load([])
    assert (load.running, load.runnable, load.smallest) == (4 * 2 + 4 / 4, 6 * 3, 3)
    bench.counting.calls.clear()
    queue.cycle()
    assert QueuedLaunch.objects.get().nodes == 18
    assert set(bench.counting.calls) == {"batch_jobs.list", "batch_jobs.demand", "batch_jobs.intend"}

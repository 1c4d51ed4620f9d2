"""`balsam service` at fake batch systems that misbehave all the time: it goes on, and all work is done.

``BALSAM_TEST_SEED`` repeats a run.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from balsam.core.invariants import violations
from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.selftest.fakes.ledger import Ledger
from balsam.selftest.fakes.mischief import befallen, disarm
from tests.integration.selftest.clusters import LIST, FakeCluster
from tests.launching import lines, script
from tests.services import ServiceHome, policy_section
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")

SEED = int(os.environ.get("BALSAM_TEST_SEED") or time.time_ns() % 1_000_000)
#: Mischief with answers, and how likely it befalls a command. What fails with nothing done is a listing: a
#: submission would be looked for for two minutes.
ANSWERS = dict.fromkeys(("fail-after", "no-id", "garbage", "empty", "truncated"), 0.08)
#: Mischief with batch jobs.
ENDS = dict.fromkeys(("preempt", "node-failure", "delete", "requeue"), 0.01)
WAVE = 8
#: Mischief that is to have been done before it may end.
ENOUGH = int(os.environ.get("BALSAM_TEST_MISCHIEF", "6"))
#: Most batch systems do not pass the submitter's environment on.
TEMPLATE = """#!/bin/bash
export BALSAM_HOME={home} PATH={{{{ balsam_bin }}}}:$PATH
source balsamactivate {{{{ balsam_db_path }}}} || exit
exec {{{{ launcher_cmd }}}} --consume-all --job-mode {{{{ job_mode }}}}
"""


@pytest.fixture(params=["slurm", "pbs", "cobalt", "lsf"])
def fake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FakeCluster]:
    cluster = FakeCluster(str(request.param), tmp_path / "fake")
    yield cluster
    cluster.stop()


@contextmanager
def sampled(fake: FakeCluster) -> Iterator[Counter[tuple[str, int]]]:
    """Count, over and over, the batch jobs in each queue that have not ended."""
    seen: Counter[tuple[str, int]] = Counter()
    done = threading.Event()

    def sample() -> None:
        with Ledger(fake.directory) as ledger:
            while not done.wait(0.1):
                seen.update(Counter(job.queue for job in ledger.jobs() if job.state != "ended").items())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def add_jobs(directory: Path) -> list[Path]:
    program = script(directory, "work.sh", "#!/bin/sh\necho begin >> $1\nsleep 1\necho end >> $1\n")
    ApplicationDefinition.objects.update_or_create(name="work", executable=str(program))
    first = BalsamJob.objects.count()
    traces = [directory / f"trace{number}" for number in range(first, first + WAVE)]
    BalsamJob.objects.bulk_create(
        BalsamJob(name=t.name, workflow="w", application="work", args=str(t), wall_time_minutes=5)
        for t in traces
    )
    return traces


def wait_for(count: int) -> None:
    finished = BalsamJob.objects.filter(state="JOB_FINISHED")
    wait_until(lambda: finished.count() >= count, 300, what=f"end of {count} jobs")


def test_service_outlasts_mischief_and_does_all_work(fake: FakeCluster, tmp_path: Path):
    print(f"BALSAM_TEST_SEED={SEED}")
    home = ServiceHome(tmp_path / "home", {"PATH": f"{fake.commands}:{os.environ['PATH']}"})
    template = tmp_path / "job.sh"
    template.write_text(TEMPLATE.format(home=home.path))
    home.configure(
        policy_section("debug", (1, 1, 0, 0.5), queued=2),
        policy_section("default", submit="off", queued=9),
        SCHEDULER_CLASS=fake.scheduler,
        WORKER_DETECTION_TYPE="local",
        DEFAULT_PROJECT="demo",
        JOB_TEMPLATE=str(template),
    )
    traces: list[Path] = []
    with sampled(fake) as seen, home.service():
        pid = home.status()["pid"]
        for kind, probability in {**ANSWERS, **ENDS}.items():
            fake.misbehave(kind, times=10_000, probability=probability, seed=SEED)
        listing = LIST[fake.scheduler].split()[0]
        fake.misbehave("fail-before", command=listing, times=10_000, probability=0.1, seed=SEED)
        with Ledger(fake.directory) as ledger:
            while befallen(ledger) < ENOUGH:
                traces += add_jobs(tmp_path)
                wait_for(len(traces) - WAVE + 1)
            disarm(ledger)
        wait_for(len(traces))
        assert home.status()["pid"] == pid
    names = Counter(job.name for job in fake.taken())
    assert max(names.values()) == 1, "no launch was submitted twice"
    assert {queue for queue, _ in seen} == {"debug"}
    assert max(count for _, count in seen) <= 2
    assert {lines(trace)[-1] for trace in traces} == {"end"}
    assert not violations()

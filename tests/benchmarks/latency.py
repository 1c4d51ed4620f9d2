"""How soon a job runs: after it is saved, and after the job it depends on."""

import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from balsam.core.models import ApplicationDefinition, BalsamJob, process_job_times
from tests.benchmarks.figures import Figure
from tests.benchmarks.floors import commit_and_start_ms
from tests.benchmarks.scratch import run_launcher, scratch_database
from tests.waiting import wait_until

LINK_GOAL_MS = 50.0


def start_latency(jobs: int) -> Figure:
    """Save jobs one by one while a launcher waits: milliseconds from the call of ``save`` to RUNNING."""
    with scratch_database():
        ApplicationDefinition(name="true", executable="/bin/true").save()
        floor_ms = commit_and_start_ms()
        with persistent_launcher():
            run_one("warm-up")
            latencies = sorted(run_one(f"job{number}") for number in range(jobs))
    median_ms = statistics.median(latencies)
    return Figure(
        "start_latency",
        jobs,
        {
            "median_ms": median_ms,
            "p95_ms": latencies[int(0.95 * (len(latencies) - 1))],
            "max_ms": latencies[-1],
        },
        floor={"commit_and_start_ms": floor_ms},
        ratio=median_ms / floor_ms,
    )


def run_one(name: str) -> float:
    """Save a job, wait until it has ended, and return the milliseconds to its start."""
    job = BalsamJob(name=name, workflow="bench", application="true")
    saved_at = time.time()
    job.save()
    wait_until(lambda: BalsamJob.objects.filter(pk=job.pk, state="JOB_FINISHED").exists(), 60)
    (running,) = [event for event in job.events() if event.to_state == "RUNNING"]
    return (running.timestamp.timestamp() - saved_at) * 1000


@contextmanager
def persistent_launcher() -> Iterator[None]:
    """Keep a launcher running."""
    command = ["balsam", "launcher", "--consume-all", "--job-mode", "serial", "--persistent"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def chain(links: int) -> Figure:
    """Run jobs that wait for each other in a row: milliseconds from one start to the next."""
    with scratch_database():
        ApplicationDefinition(name="true", executable="/bin/true").save()
        floor_ms = commit_and_start_ms()
        above = None
        for number in range(links):
            job = BalsamJob(name=f"link{number}", workflow="chain", application="true")
            job.save()
            if above is not None:
                job.set_parents([above])
            above = job
        run_launcher()
        times = process_job_times()
    assert len(times["JOB_FINISHED"]) == links
    link_ms = (max(times["JOB_FINISHED"]) - min(times["RUNNING"])).total_seconds() * 1000 / links
    return Figure(
        "chain",
        links,
        {"ms_per_link": link_ms},
        floor={"commit_and_start_ms": floor_ms},
        ratio=link_ms / floor_ms,
        goal=f"ms_per_link <= {LINK_GOAL_MS:g}",
        is_reached=link_ms <= LINK_GOAL_MS,
    )

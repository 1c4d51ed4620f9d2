"""No-op jobs per second of one launcher, against xargs; alone, and above 100,000 finished jobs."""

import uuid
from dataclasses import dataclass

from django.db import connection

from balsam.core.models import ApplicationDefinition, BalsamJob, process_job_times
from tests.benchmarks.figures import Figure
from tests.benchmarks.floors import wall_ms, xargs_rate
from tests.benchmarks.scratch import run_launcher, scratch_database

#: As in the goals of the project: a launcher reaches this part of the rate of xargs.
RATE_GOAL = 0.5
SCALE_GOAL = 1.2
FINISHED_JOBS = 100_000

_HISTORY = """
    INSERT INTO core_jobevent (job_id, from_state, to_state, attempt)
    SELECT job_id, from_state, to_state, 1
    FROM core_balsamjob,
         (VALUES ('PREPROCESSED', 'RUNNING'), ('RUNNING', 'RUN_DONE'), ('RUN_DONE', 'JOB_FINISHED'))
         AS moves(from_state, to_state)
    WHERE workflow = 'old'
"""


@dataclass(frozen=True)
class Rate:
    """Jobs per second of a launcher, and of xargs just before and after it."""

    jobs_per_sec: float
    floor_per_sec: float

    @property
    def ratio(self) -> float:
        """Part of the floor."""
        return self.jobs_per_sec / self.floor_per_sec


def throughput(jobs: int) -> Figure:
    """Measure a launcher in a database of its own."""
    with scratch_database():
        rate = launcher_rate(jobs, "bench")
    return Figure(
        "throughput",
        jobs,
        {"jobs_per_sec": rate.jobs_per_sec},
        floor={"xargs_per_sec": rate.floor_per_sec},
        ratio=rate.ratio,
        is_reached=rate.ratio >= RATE_GOAL,
        goal=f"ratio >= {RATE_GOAL}",
    )


def scale(jobs: int) -> Figure:
    """Measure a launcher and a listing, first alone and then above finished jobs with their history."""
    listing = ["balsam", "ls", "--limit", "20"]
    with scratch_database():
        launcher_rate(jobs // 10, "warm-up")
        alone, ls_alone_ms = launcher_rate(jobs, "bench1"), wall_ms(listing)
        BalsamJob.objects.bulk_create(finished_job(number) for number in range(FINISHED_JOBS))
        with connection.cursor() as cursor:
            cursor.execute(_HISTORY)
        above, ls_above_ms = launcher_rate(jobs, "bench2"), wall_ms(listing)
    slowdown, ls_slowdown = alone.ratio / above.ratio, ls_above_ms / ls_alone_ms
    return Figure(
        "scale",
        FINISHED_JOBS,
        {"jobs_per_sec": above.jobs_per_sec, "ls_ms": ls_above_ms, "ls_slowdown": ls_slowdown},
        floor={
            "alone_jobs_per_sec": alone.jobs_per_sec,
            "alone_ls_ms": ls_alone_ms,
            "alone_xargs_per_sec": alone.floor_per_sec,
            "xargs_per_sec": above.floor_per_sec,
        },
        ratio=slowdown,
        is_reached=slowdown <= SCALE_GOAL and ls_slowdown <= SCALE_GOAL,
        goal=f"slowdown of both <= {SCALE_GOAL}",
    )


def launcher_rate(jobs: int, workflow: str) -> Rate:
    """Add no-op jobs, run them, and return the rate from the first start to the last end."""
    ApplicationDefinition.objects.get_or_create(name="true", executable="/bin/true")
    BalsamJob.objects.bulk_create(
        BalsamJob(name=f"t{number}", workflow=workflow, application="true", node_packing_count=2)
        for number in range(jobs)
    )
    before = xargs_rate(jobs)
    run_launcher()
    floor = (before + xargs_rate(jobs)) / 2
    times = process_job_times(BalsamJob.objects.filter(workflow=workflow))
    assert len(times["JOB_FINISHED"]) == jobs, "some jobs did not finish, or twice"
    elapsed = max(times["JOB_FINISHED"]) - min(times["RUNNING"])
    return Rate(jobs / elapsed.total_seconds(), floor)


def finished_job(number: int) -> BalsamJob:
    """Make a job that has been run long ago."""
    return BalsamJob(
        job_id=uuid.uuid4(), name=f"old{number}", workflow="old", application="true", state="JOB_FINISHED"
    )

"""Making jobs: a loop that saves, and bulk_create of both faces, against COPYs of the same rows."""

from collections.abc import Callable

from balsam.api import App, Job
from balsam.core.models import ApplicationDefinition, BalsamJob
from tests.benchmarks.figures import Figure
from tests.benchmarks.floors import copy_each_row_sec, copy_rows_sec, timed
from tests.benchmarks.scratch import scratch_database

TABLE = "core_balsamjob"
#: Seconds for 100,000 jobs.
BULK_GOAL_SEC = 6.0
_GOAL_JOBS = 100_000
#: Seconds for 10,000 jobs of `balsam.api`.
API_GOAL_SEC = 3.0
_API_GOAL_JOBS = 10_000


def save_loop(jobs: int) -> Figure:
    """Save one job after the other, each durable when ``save`` returns."""
    with scratch_database():
        batch = new_jobs(jobs)
        spent_sec = timed(lambda: [job.save() for job in batch])
        assert BalsamJob.objects.count() == jobs
        each_sec = copy_each_row_sec(TABLE, jobs)
    with scratch_database():
        BalsamJob.objects.bulk_create(new_jobs(jobs))
        all_sec = copy_rows_sec(TABLE)
    return Figure(
        "save_loop",
        jobs,
        {"jobs_per_sec": jobs / spent_sec, "ms_per_job": spent_sec / jobs * 1000},
        floor={"one_copy_a_row_per_sec": jobs / each_sec, "one_copy_of_all_per_sec": jobs / all_sec},
        ratio=spent_sec / each_sec,
    )


def bulk_create(jobs: int) -> Figure:
    """Insert all jobs in one call."""
    with scratch_database():
        batch = new_jobs(jobs)
        goal_sec = BULK_GOAL_SEC * jobs / _GOAL_JOBS
        return _against_copy("bulk_create", jobs, lambda: BalsamJob.objects.bulk_create(batch), goal_sec)


def api_bulk_create(jobs: int) -> Figure:
    """Make jobs of `balsam.api` and insert them in one call: until their ids are known."""
    with scratch_database():
        app_id, goal_sec = _square().id, API_GOAL_SEC * jobs / _API_GOAL_JOBS
        return _against_copy("api_bulk_create", jobs, lambda: _create_by_api(app_id, jobs), goal_sec)


def _against_copy(name: str, jobs: int, create: Callable[[], object], goal_sec: float) -> Figure:
    """Measure what makes all jobs at once."""
    spent_sec = timed(create)
    assert BalsamJob.objects.count() == jobs
    copy_sec = copy_rows_sec(TABLE)
    return Figure(
        name,
        jobs,
        {"jobs_per_sec": jobs / spent_sec, "spent_sec": spent_sec},
        floor={"copy_per_sec": jobs / copy_sec, "copy_sec": copy_sec},
        ratio=spent_sec / copy_sec,
        goal=f"spent_sec <= {goal_sec:g}",
        is_reached=spent_sec <= goal_sec,
    )


def _square() -> App:
    parameters = {"x": {"required": True}}
    return App.objects.create(
        site_id=1, name="square", command_template="echo {{ x }}", parameters=parameters
    )


def _create_by_api(app_id: int, count: int) -> None:
    jobs = [
        Job(f"square/{number}", app_id, parameters={"x": str(number)}, tags={"run": "bench"})
        for number in range(count)
    ]
    assert all(job.id for job in Job.objects.bulk_create(jobs))


def new_jobs(count: int) -> list[BalsamJob]:
    """Make jobs of one application with a number in ``data``, as the user guide does."""
    ApplicationDefinition.objects.get_or_create(name="square", executable="/bin/true")
    jobs = [BalsamJob(name=f"square{i}", workflow="bench", application="square") for i in range(count)]
    for number, job in enumerate(jobs):
        job.data["x"] = number
    return jobs

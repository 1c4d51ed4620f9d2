"""The command line's own time, and the processor time of the user guide's script, against `import django`."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from balsam.cli.demo_app import app_text
from balsam.core.models import BalsamJob
from tests.benchmarks.figures import Figure
from tests.benchmarks.floors import wall_ms
from tests.benchmarks.scratch import scratch_database

IMPORT_DJANGO = [sys.executable, "-c", "import django"]
START_GOAL_MS = 300.0


def command_time(*arguments: str) -> Callable[[int], Figure]:
    """Return the benchmark of one command, called so many times on a database of 20 jobs."""

    def measure(times: int) -> Figure:
        with scratch_database():
            BalsamJob.objects.bulk_create(BalsamJob(name=f"j{i}", workflow="bench") for i in range(20))
            floor_ms = wall_ms(IMPORT_DJANGO, times)
            own_ms = wall_ms(["balsam", *arguments], times)
        return Figure(
            f"balsam {' '.join(arguments)}",
            times,
            {"wall_ms": own_ms},
            floor={"import_django_ms": floor_ms},
            ratio=own_ms / floor_ms,
            goal=f"wall_ms <= {START_GOAL_MS:g}",
            is_reached=own_ms <= START_GOAL_MS,
        )

    return measure


def script_cpu(jobs: int) -> Figure:
    """Run the script of the user guide as the jobs' processes: milliseconds of processor time of each."""
    with scratch_database() as directory:
        script = directory / "app.py"
        script.write_text(app_text(sys.executable))
        script.chmod(0o755)
        subprocess.run([script, str(jobs)], check=True, stdout=subprocess.DEVNULL)
        floor_ms = cpu_ms(IMPORT_DJANGO, jobs)
        spent = [cpu_of_job(script, job) for job in BalsamJob.objects.order_by("number")]
        assert all(job.data["y"] == job.data["x"] ** 2 for job in BalsamJob.objects.all())
    own_ms = sum(spent) / jobs
    return Figure(
        "script_cpu",
        jobs,
        {"cpu_ms_per_job": own_ms},
        floor={"import_django_cpu_ms": floor_ms},
        ratio=own_ms / floor_ms,
    )


def cpu_of_job(script: Path, job: BalsamJob) -> float:
    """Run the script as one job does; returns milliseconds of processor time."""
    return cpu_ms([str(script)], 1, BALSAM_JOB_ID=str(job.job_id))


def cpu_ms(command: list[str], times: int, **variables: str) -> float:
    """Milliseconds of processor time (user and system) of a command, the mean."""
    before = children_cpu_sec()
    for _ in range(times):
        subprocess.run(command, check=True, env={**os.environ, **variables})
    return (children_cpu_sec() - before) * 1000 / times


def children_cpu_sec() -> float:
    """Seconds of processor time of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime

"""Python applications: calls per second of a launcher and the time of one call, against processes that fork.

The floor is an interpreter that forks as many processes as there are jobs, two at once, which do nothing.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from balsam.api import ApplicationDefinition, Job
from balsam.core.models import process_job_times
from tests.benchmarks.figures import Figure
from tests.benchmarks.latency import persistent_launcher
from tests.benchmarks.scratch import run_launcher, scratch_database

RATE_GOAL = 0.2
LATENCY_GOAL_MS = 50.0
_SITE = 1
_FORKS = """
import gc, os, sys, time
import balsam.launcher.warm_server
count, slots = map(int, sys.argv[1:])
gc.freeze()
began, running = time.perf_counter(), 0
for _ in range(count):
    if os.fork() == 0:
        os._exit(0)
    running += 1
    if running == slots:
        os.wait()
        running -= 1
print(count / (time.perf_counter() - began))
"""


def fork_rate(count: int, slots: int = 2) -> float:
    """Processes per second that an interpreter forks which has imported what a warm one has."""
    command = [sys.executable, "-P", "-c", _FORKS, str(count), str(slots)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def python_apps(jobs: int) -> Figure:
    """Run jobs that add two numbers, from the first start to the last end."""
    with scratch_database():
        app = _adder()
        made = Job.objects.bulk_create(
            [app.submit(f"add/{n}", save=False, node_packing_count=2, number=n) for n in range(jobs)]
        )
        before = fork_rate(jobs)
        run_launcher()
        floor = (before + fork_rate(jobs)) / 2
        times = process_job_times()
        assert len(times["JOB_FINISHED"]) == jobs
        assert made[-1].result(timeout=10) == jobs
    elapsed = max(times["JOB_FINISHED"]) - min(times["RUNNING"])
    rate = jobs / elapsed.total_seconds()
    return Figure(
        "python_apps",
        jobs,
        {"jobs_per_sec": rate},
        floor={"forks_per_sec": floor},
        ratio=rate / floor,
        is_reached=rate / floor >= RATE_GOAL,
        goal=f"ratio >= {RATE_GOAL}",
    )


def result_latency(jobs: int) -> Figure:
    """Submit calls one by one while a launcher waits: milliseconds from ``submit`` to its ``result()``."""
    with scratch_database():
        app = _adder()
        app.sync()
        with persistent_launcher():
            app.submit("warm-up", number=0).result(timeout=60)
            waits, starts = zip(*(_call(app, number) for number in range(jobs)), strict=True)
        floor_ms = 1000 / fork_rate(100, slots=1)
    start_ms = statistics.median(starts)
    return Figure(
        "result_latency",
        jobs,
        {"start_ms": start_ms, "result_ms": statistics.median(waits), "result_max_ms": max(waits)},
        floor={"fork_ms": floor_ms},
        ratio=start_ms / floor_ms,
        is_reached=start_ms <= LATENCY_GOAL_MS,
        goal=f"start_ms <= {LATENCY_GOAL_MS:g}",
    )


def _call(app: type[ApplicationDefinition], number: int) -> tuple[float, float]:
    """Return milliseconds from submission to the result, and to the begin of ``run``."""
    submitted, began = time.time(), time.perf_counter()
    job = app.submit(f"call/{number}", number=number)
    assert job.result(timeout=60) == number + 1
    waited = time.perf_counter() - began
    started = float((job.resolve_workdir(_data()) / "began").read_text())
    return waited * 1000, (started - submitted) * 1000


def _data() -> Path:
    return Path(os.environ["BALSAM_DB_PATH"]) / "data"


def _adder() -> type[ApplicationDefinition]:
    class Adder(ApplicationDefinition):
        site = _SITE

        def run(self, number):
            import time

            with open("began", "w") as file:
                file.write(str(time.time()))
            return number + 1

    return Adder

"""The scripts of the ThetaGPU workshop, line by line, on a database of one's own and eight GPUs of a node."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from balsam.api import App, BatchJob, EventLog, Job, Site
from tests.launching import run_launcher

DOCUMENT = (Path(__file__).parent / "documents" / "workshop-thetagpu.txt").read_text()
#: For where matplotlib is not installed: says what would have been drawn.
PYPLOT = """\
calls = []
def Figure(): calls.append("figure")
def step(x, y, where): calls.append(f"{len(x)} {len(y)} {where}")
def xlabel(text): calls.append(text)
def ylabel(text): calls.append(text)
def savefig(name): open(name, "w").write("\\n".join(calls))
"""


@pytest.fixture
def here(db: Path, tmp_path: Path) -> Path:
    """An empty directory; the database directory is the site of the workshop."""
    site = Site.objects.get(id=1)
    site.name = "thetagpu_tutorial"
    site.save()
    if find_spec("matplotlib") is None:
        (tmp_path / "matplotlib").mkdir()
        (tmp_path / "matplotlib" / "__init__.py").touch()
        (tmp_path / "matplotlib" / "pyplot.py").write_text(PYPLOT)
    return tmp_path


def run_script(here: Path, name: str) -> str:
    """Save a script of the document under the name it has there, run it, and return what it printed."""
    found = re.search(rf"\({re.escape(name)}\)\n.*?```python\n(.*?)```", DOCUMENT, re.S)
    assert found, f"the document has no script {name}"
    (here / name).write_text(found[1])
    done = subprocess.run(
        [sys.executable, name],
        cwd=here,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def jobs_of(workflow: str) -> list[Job]:
    return list(Job.objects.filter(tags={"workflow": workflow}).order_by("id"))


def outputs(db: Path, name: str) -> list[str]:
    return [(db / "data" / "demo" / f"{name}{n}" / "job.out").read_text() for n in range(8)]


def test_scripts_of_the_workshop(db: Path, here: Path):
    run_script(here, "hello.py")
    assert App.objects.get(site_name="thetagpu_tutorial", name="Hello").parameters.keys() == {"say_hello_to"}

    run_script(here, "3_create_multiple_jobs.py")
    run_script(here, "4_create_multiple_jobs_with_deps.py")
    assert {job.state for job in jobs_of("hello_multi")} == {"PREPROCESSED"}
    assert [job.state for job in jobs_of("hello_deps")] == ["PREPROCESSED", *["AWAITING_PARENTS"] * 7]
    (batch_job,) = BatchJob.objects.all()
    assert (batch_job.filter_tags, batch_job.state) == ({"workflow": "hello_deps"}, "pending_submission")

    run_launcher("--gpus-per-node=8", mode="mpi").check()
    assert {job.state for job in [*jobs_of("hello_multi"), *jobs_of("hello_deps")]} == {"JOB_FINISHED"}
    greeting = re.compile(r"Hello, world (\d)!! CUDA_VISIBLE_DEVICES=(\d)\n")
    said = [greeting.fullmatch(text) for text in outputs(db, "hello_multi")]
    assert [found[1] for found in said if found] == [str(n) for n in range(8)]
    assert {found[2] for found in said if found} == {str(n) for n in range(8)}
    assert [text[:15] for text in outputs(db, "hello_deps")] == [f"Hello, world {n}!" for n in range(8)]
    moments = EventLog.objects.filter(job_id=[job.id for job in jobs_of("hello_deps")]).order_by("id")
    runs = [event.job_id for event in moments if event.to_state == "RUNNING"]
    assert runs == sorted(runs)

    events = run_script(here, "5_monitor_jobs.py").splitlines()
    assert sum(line.startswith("Job: ") for line in events) == EventLog.objects.count()
    assert events.count("JOB_FINISHED") == 16

    run_script(here, "6_analytics.py")
    assert all((here / name).stat().st_size > 0 for name in ("throughput.png", "utilization.png"))

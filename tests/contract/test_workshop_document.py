"""The scripts of the ThetaGPU workshop, line by line, with eight GPUs of a node, and at four sites.

On a database of one's own, and through a server.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from balsam.api import App, BatchJob, EventLog, Job, Site
from balsam.selftest.setting_up import make_fake
from tests.commands import run_balsam
from tests.cores import CORES, reached
from tests.launching import run_launcher
from tests.waiting import wait_until

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


@pytest.fixture(params=CORES)
def here(
    request: pytest.FixtureRequest, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty directory, where sites may be made."""
    monkeypatch.setenv("BALSAM_HOME", str(tmp_path / "home"))
    if find_spec("matplotlib") is None:
        (tmp_path / "matplotlib").mkdir()
        (tmp_path / "matplotlib" / "__init__.py").touch()
        (tmp_path / "matplotlib" / "pyplot.py").write_text(PYPLOT)
    with reached(request.param, db, tmp_path, monkeypatch):
        yield tmp_path


def make_site(here: Path, name: str, machine: str, project: str) -> Path:
    """Make a site, whose launchers leave soon, and find their nodes and MPI here."""
    run_balsam("site", "init", "-n", name, "-c", machine, "--project", project, name, cwd=here).check()
    path = here / name / "settings.yml"
    text = path.read_text().replace("idle_ttl_sec: 60", "idle_ttl_sec: 0.5")
    text = text.replace("sync_period: 10", "sync_period: 0.5")
    path.write_text(
        text.replace("\nlauncher:\n", "\nlauncher:\n  compute_node: local\n  mpi_app_launcher: mpich\n")
    )
    return here / name


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


def outputs(site: Path, name: str) -> list[str]:
    return [(site / "data" / "demo" / f"{name}{n}" / "job.out").read_text() for n in range(8)]


def test_scripts_of_the_workshop(here: Path, monkeypatch: pytest.MonkeyPatch):
    site = make_site(here, "thetagpu_tutorial", "local", "Comp_Perf_Workshop")
    allow(site, "training-gpu")
    run_balsam("site", "sync", cwd=site).check()
    run_script(here, "hello.py")
    assert App.objects.get(site_name="thetagpu_tutorial", name="Hello").parameters.keys() == {"say_hello_to"}

    run_script(here, "3_create_multiple_jobs.py")
    run_script(here, "4_create_multiple_jobs_with_deps.py")
    assert {job.state for job in jobs_of("hello_multi")} == {"PREPROCESSED"}
    assert [job.state for job in jobs_of("hello_deps")] == ["PREPROCESSED", *["AWAITING_PARENTS"] * 7]
    (batch_job,) = BatchJob.objects.all()
    assert (batch_job.filter_tags, batch_job.state) == ({"workflow": "hello_deps"}, "pending_submission")

    with monkeypatch.context() as inside:
        inside.chdir(site)
        run_launcher("--gpus-per-node=8", mode="mpi").check()
    assert {job.state for job in [*jobs_of("hello_multi"), *jobs_of("hello_deps")]} == {"JOB_FINISHED"}
    greeting = re.compile(r"Hello, world (\d)!! CUDA_VISIBLE_DEVICES=(\d)\n")
    said = [greeting.fullmatch(text) for text in outputs(site, "hello_multi")]
    assert [found[1] for found in said if found] == [str(n) for n in range(8)]
    assert {found[2] for found in said if found} == {str(n) for n in range(8)}
    assert [text[:15] for text in outputs(site, "hello_deps")] == [f"Hello, world {n}!" for n in range(8)]
    moments = EventLog.objects.filter(job_id=[job.id for job in jobs_of("hello_deps")]).order_by("id")
    runs = [event.job_id for event in moments if event.to_state == "RUNNING"]
    assert runs == sorted(runs)

    events = run_script(here, "5_monitor_jobs.py").splitlines()
    assert sum(line.startswith("Job: ") for line in events) == EventLog.objects.count()
    assert events.count("JOB_FINISHED") == 16

    run_script(here, "6_analytics.py")
    assert all((here / name).stat().st_size > 0 for name in ("throughput.png", "utilization.png"))


#: Of the document: sites with their machines, and the queue that each batch job is for.
SITES = {
    "thetagpu_tutorial": ("thetagpu", "single-gpu"),
    "thetaknl_tutorial": ("theta", "debug-flat-quad"),
    "cooley_tutorial": ("cooley", "debug"),
    "tom_laptop": ("local", "local"),
}


def shell_scripts(*starts: str) -> list[str]:
    """Return the scripts of the shell with these words, in the order of the document."""
    scripts = re.findall(r"```(?:bash|python)\n(#!/bin/bash\n.*?)```", DOCUMENT, re.S)
    return [next(text for text in scripts if start in text) for start in starts]


def run_shell(here: Path, text: str) -> str:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=here,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_jobs_at_four_sites(here: Path, monkeypatch: pytest.MonkeyPatch):
    """Each machine has a batch system of its own: all three number their batch jobs from the same number."""
    path = os.environ["PATH"]
    for name, (machine, queue) in SITES.items():
        site = make_site(here, name, machine, "local" if machine == "local" else "training-gpu")
        if machine != "local":
            commands = make_fake("cobalt", here / f"at-{name}", queues={queue: {}}, projects=["training-gpu"])
            monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{path}")
            allow(site, queue)
        run_balsam("site", "start", cwd=site).check()
        monkeypatch.setenv("PATH", path)
    try:
        hello = next(
            text for text in re.findall(r"```python\n(.*?)```", DOCUMENT, re.S) if "Hello.sync" in text
        )
        for name in SITES:
            (here / "hello.py").write_text(hello.replace("thetagpu_tutorial", name))
            run_shell(here, "python hello.py")
        create, submit = shell_scripts("# create jobs at four sites", "# Submit BatchJobs at multiple sites")
        run_shell(here, create)
        listed = run_shell(here, "balsam job ls --tag workflow=hello_multisite --site all").splitlines()
        assert sum("multisite/" in line for line in listed) == len(SITES)
        for name, (_, queue) in SITES.items():
            wait_until(lambda name=name, queue=queue: queue in Site.objects.get(name).allowed_queues, 60)
        run_shell(here, submit.replace("workflow=hello_multi ", "workflow=hello_multisite "))
        wait_until(lambda: all(job.done() for job in jobs_of("hello_multisite")), 180)
        outputs = [path for name in SITES for path in here.glob(f"{name}/data/multisite/*/job.out")]
        assert sorted(path.read_text().split("!")[0] for path in outputs) == [
            f"Hello, {name}" for name in ("cooleylogin2", "thetagpu", "thetaknl", "tom_laptop")
        ]
        wait_until(lambda: {b.state for b in BatchJob.objects.all()} == {"finished"}, 120)
        assert len({b.scheduler_id for b in BatchJob.objects.all()}) < len(SITES)
    finally:
        for name in SITES:
            run_balsam("site", "stop", cwd=here / name)
            for log in sorted([*here.glob(f"{name}/log/*"), *here.glob(f"{name}/qsubmit/*")]):
                print(f"== {log}\n{log.read_text(errors='backslashreplace')}")


def allow(site: Path, queue: str) -> None:
    """Let the settings of a site allow a queue of the document."""
    path = site / "settings.yml"
    text = path.read_text()
    if f"\n    {queue}:" not in text:
        limits = f"\n    {queue}: {{max_nodes: 1, max_walltime: 60, max_queued_jobs: 3}}"
        text = text.replace("  allowed_queues: {}", "  allowed_queues:").replace(
            "  allowed_queues:", f"  allowed_queues:{limits}"
        )
    path.write_text(text)

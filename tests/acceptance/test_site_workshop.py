"""A site from its making to its end, as the workshop's document has it: real commands, on the local queue."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from balsam.analytics import available_nodes
from balsam.api import App, BatchJob, EventLog, Job, Site
from balsam.exceptions import UsageError
from balsam.lib.processes import identify
from tests.commands import Finished, run_balsam
from tests.cores import CORES, reached
from tests.waiting import wait_until

Balsam = Callable[..., Finished]
NAME = "thetagpu_tutorial"


@pytest.fixture(params=CORES)
def core(request: pytest.FixtureRequest, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with reached(request.param, db, tmp_path, monkeypatch):
        yield


@pytest.fixture
def balsam(core: None, tmp_path: Path) -> Balsam:
    env = {"BALSAM_HOME": str(tmp_path / "home"), "BALSAM_SITE_PATH": ""}

    def run(*args: object, input: str = "", cwd: Path = tmp_path) -> Finished:
        return run_balsam(*args, input=input, cwd=cwd, env=env)

    return run


@pytest.fixture
def site_path(balsam: Balsam, tmp_path: Path):
    """The site of the document; launchers leave soon. Its agent is stopped at the end."""
    done = balsam("site", "init", "-n", NAME, "-c", "local", NAME).check()
    path = tmp_path / NAME
    assert f"New Balsam site set up at {path}" in done.stdout
    edit(path, "idle_ttl_sec: 60", "idle_ttl_sec: 0.5")
    edit(path, "sync_period: 10", "sync_period: 0.5")
    yield path
    balsam("site", "stop", cwd=path)
    for log in sorted([*path.glob("log/*"), *path.glob("qsubmit/*.output")]):
        print(f"== {log}\n{log.read_text(errors='backslashreplace')}")


def edit(path: Path, before: str, after: str) -> None:
    """Change a line of the settings."""
    text = (path / "settings.yml").read_text()
    assert before in text
    (path / "settings.yml").write_text(text.replace(before, after))


HELLO = """
from balsam.api import ApplicationDefinition

class Hello(ApplicationDefinition):
    site = "thetagpu_tutorial"
    command_template = "echo Hello, {{ say_hello_to }}! CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES"
Hello.sync()
"""
WITH_DEPS = """
from balsam.api import Job, BatchJob, Site

job = None
for n in range(3):
    job = Job(site_name="thetagpu_tutorial",
              app_id="Hello",
              workdir=f"demo/hello_deps{n}",
              parameters={"say_hello_to": f"world {n}!"},
              tags={"workflow": "hello_deps"},
              node_packing_count=8,
              parent_ids=[job.id] if job else [])
    job.save()
site = Site.objects.get("thetagpu_tutorial")
BatchJob.objects.create(
    num_nodes=1,
    wall_time_min=10,
    queue="local",
    project="local",
    site_id=site.id,
    filter_tags={"workflow": "hello_deps"},
    job_mode="mpi",
)
"""
WITH_HOOK = """
from pathlib import Path
from balsam.api import ApplicationDefinition

class Prepared(ApplicationDefinition):
    site = "thetagpu_tutorial"
    command_template = "cat prepared.txt"

    def preprocess(self):
        Path("prepared.txt").write_text("by the agent")
        self.job.state = "PREPROCESSED"

Prepared.sync()
Prepared.submit("hooked/ours", tags={"run": "1"})
Prepared.submit("hooked/other", tags={"run": "2"})
"""


def run_script(directory: Path, text: str) -> None:
    """Run a script of the user's, as `python SCRIPT`, outside of the site."""
    path = directory / "script.py"
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, str(path)], cwd=directory, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def make_hello(**fields: object) -> App:
    """The application of the document."""
    return App.objects.create(
        site_id=Site.objects.get(NAME).id,
        name="Hello",
        command_template="echo Hello, {{ say_hello_to }}! CUDA_VISIBLE_DEVICES=$CUDA_VISIBLE_DEVICES",
        parameters={"say_hello_to": {"required": True}},
        **fields,
    )


def agent_pid(balsam: Balsam, path: Path) -> int:
    rows = json.loads(balsam("site", "status", "-o", "json", cwd=path).check().stdout)["rows"]
    return int(rows[0]["pid"])


def test_hello_of_the_workshop_runs_by_itself(balsam: Balsam, site_path: Path, tmp_path: Path):
    started = balsam("site", "start", cwd=site_path).check()
    assert f"Starting Balsam site at {site_path}" in started.stdout
    pid = agent_pid(balsam, site_path)
    assert f"Started Balsam site daemon [pid {pid}] on {os.uname().nodename}" in started.stdout
    again = balsam("site", "start", cwd=site_path)
    assert again.returncode == 2 and f"[PID {pid}]" in again.stderr
    run_script(tmp_path, HELLO)
    balsam(
        *("job", "create", "--site", NAME, "--app", "Hello", "--workdir=demo/hello"),
        *("--param", "say_hello_to=world", "--tag", "workflow=hello", "--yes"),
    ).check()
    other = ("--workdir=demo/other", "--param", "say_hello_to=nobody", "--tag", "workflow=other", "--yes")
    balsam("job", "create", "--site", NAME, "--app", "Hello", *other).check()
    balsam(
        *("queue", "submit", "-n", "1", "-t", "10", "-q", "local", "-A", "local"),
        *("--site", NAME, "--tag", "workflow=hello", "--job-mode", "mpi"),
    ).check()
    (job,) = Job.objects.filter(tags={"workflow": "hello"})
    wait_until(job.done, 60)
    assert job.state == "JOB_FINISHED"
    assert (site_path / "data/demo/hello/job.out").read_text().startswith("Hello, world!")

    def batch_job() -> BatchJob:
        return BatchJob.objects.first()

    wait_until(lambda: batch_job().state == "finished", 60)
    assert Job.objects.get(job.id).batch_job_id == batch_job().id
    assert batch_job().start_time and batch_job().end_time
    assert available_nodes(BatchJob.objects.all()) == ([batch_job().start_time, batch_job().end_time], [1, 0])
    by: list[dict[str, object]] = [
        {},
        {"batch_job_id": batch_job().id},
        {"scheduler_id": batch_job().scheduler_id},
    ]
    moves = [EventLog.objects.filter(job_id=job.id, **of).count() for of in by]
    assert moves[0] > 3 and set(moves) == {moves[0]}
    history = balsam("queue", "ls", "--history").check().stdout
    assert NAME in history and "finished" in history
    assert Job.objects.get(tags={"workflow": "other"}).state == "PREPROCESSED", "it has another tag"
    stopped = balsam("site", "stop", cwd=site_path).check()
    assert f"Sent SIGTERM to Balsam site daemon [pid {pid}]" in stopped.stdout
    assert "Site daemon shutdown OK" in stopped.stdout and identify(pid) is None
    assert balsam("site", "stop", cwd=site_path).returncode == 2
    assert balsam("site", "status", cwd=site_path).returncode == 3


def test_what_the_settings_do_not_allow_is_refused_and_a_full_queue_waits(balsam: Balsam, site_path: Path):
    edit(site_path, "max_queued_jobs: 1000", "max_queued_jobs: 1")
    submit = (
        "queue",
        "submit",
        "-n",
        "1",
        "-t",
        "9",
        "-q",
        "local",
        "-A",
        "local",
        "-j",
        "mpi",
        "--site",
        NAME,
    )
    down = balsam(*submit).check()
    assert "has no agent" in down.stderr
    balsam("queue", "term", BatchJob.objects.first().id).check()
    site = Site.objects.get(NAME)

    def ask(**fields: object) -> BatchJob:
        known = {"num_nodes": 1, "wall_time_min": 5, "job_mode": "serial", "queue": "local", "project": "x"}
        return BatchJob.objects.create(site_id=site.id, **{**known, **fields})

    long = ask(wall_time_min=30)
    edit(site_path, "max_walltime: 1440", "max_walltime: 20")
    balsam("site", "start", cwd=site_path).check()
    wait_until(lambda: BatchJob.objects.get(long.id).state == "submit_failed", 30)
    assert "30 minutes are more than the 20" in BatchJob.objects.get(long.id).status_info["reason"]
    for more in ({"queue": "nowhere"}, {"wall_time_min": 21}):
        with pytest.raises(UsageError, match=r"know the queue 'nowhere'|21 minutes are more than the 20"):
            ask(**more)
    edit(site_path, "idle_ttl_sec: 0.5", "idle_ttl_sec: 30")  # so that the first one stays
    first = ask()
    wait_until(lambda: BatchJob.objects.get(first.id).scheduler_id, 30)
    second = ask()
    wait_until(lambda: "Waits" in BatchJob.objects.get(second.id).status_info.get("reason", ""), 30)
    assert BatchJob.objects.get(second.id).state == "pending_submission"
    first = BatchJob.objects.get(first.id)
    balsam("queue", "term", first.scheduler_id, "--site", NAME).check()
    wait_until(lambda: BatchJob.objects.get(second.id).scheduler_id, 60)
    balsam("queue", "term", BatchJob.objects.get(second.id).scheduler_id, "--site", NAME)
    wait_until(lambda: BatchJob.objects.get(second.id).state == "finished", 60)


def test_sync_tells_the_settings_and_restarts_the_agent(balsam: Balsam, site_path: Path):
    edit(site_path, "optional_batch_job_params: {}", "optional_batch_job_params: {shout: 'no'}")
    assert balsam("site", "sync", cwd=site_path).check().stdout == "Updated site.\n"
    assert Site.objects.get(NAME).optional_batch_job_params == {"shout": "no"}
    balsam("site", "start", cwd=site_path).check()
    pid = agent_pid(balsam, site_path)
    balsam("site", "sync", cwd=site_path).check()
    assert agent_pid(balsam, site_path) != pid and identify(pid) is None
    edit(site_path, "num_workers: 5", "num_workers: none")
    wrong = balsam("site", "sync", cwd=site_path)
    assert wrong.returncode == 2 and "settings.yml, line" in wrong.stderr and "num_workers" in wrong.stderr


def test_elastic_queue_asks_for_what_there_is_to_do(balsam: Balsam, site_path: Path):
    edit(
        site_path,
        "\nelastic_queue: null",
        "\nelastic_queue: {service_period: 0.5, min_wall_time_min: 5, max_wall_time_min: 10, "
        "wall_time_pad_min: 1}",
    )
    app = make_hello(cleanup_files=["*.tmp"])
    edit(site_path, "\nfile_cleaner: null", "\nfile_cleaner: {service_period: 0.5}")
    jobs = Job.objects.bulk_create(
        [Job(f"many/{n}", app.id, parameters={"say_hello_to": n}, node_packing_count=4) for n in range(4)]
    )
    scrap = site_path / "data/many/0/scrap.tmp"
    scrap.parent.mkdir(parents=True)
    scrap.write_text("x")
    balsam("site", "start", cwd=site_path).check()
    wait_until(lambda: all(job.done() for job in jobs), 90)
    asked = BatchJob.objects.first()
    assert (asked.num_nodes, asked.wall_time_min, asked.queue) == (1, 9, "local")
    wait_until(lambda: not scrap.exists(), 30)
    assert (site_path / "data/many/0/job.out").exists()


def test_jobs_with_parents_run_in_one_batch_job(balsam: Balsam, site_path: Path, tmp_path: Path):
    balsam("site", "start", cwd=site_path).check()
    run_script(tmp_path, HELLO)
    run_script(tmp_path, WITH_DEPS)
    jobs = list(Job.objects.filter(tags={"workflow": "hello_deps"}).order_by("id"))
    wait_until(lambda: all(job.done() for job in jobs), 90)
    assert [job.state for job in jobs] == ["JOB_FINISHED"] * 3
    assert BatchJob.objects.count() == 1


def test_agent_runs_the_hooks_of_its_tags(balsam: Balsam, site_path: Path, tmp_path: Path):
    edit(site_path, "\nfilter_tags: {}", "\nfilter_tags: {run: '1'}")
    balsam("site", "start", cwd=site_path).check()
    run_script(tmp_path, WITH_HOOK)
    ours, other = Job.objects.get(tags={"run": "1"}), Job.objects.get(tags={"run": "2"})
    wait_until(lambda: Job.objects.get(ours.id).state == "PREPROCESSED", 60)
    assert (site_path / "data/hooked/ours/prepared.txt").read_text() == "by the agent"
    assert Job.objects.get(other.id).state != "PREPROCESSED"


def test_parts_of_a_batch_job_take_jobs_of_their_own(balsam: Balsam, site_path: Path):
    balsam("site", "start", cwd=site_path).check()
    app = make_hello()
    ours = Job.objects.create("parts/a", app.id, parameters={"say_hello_to": "a"}, tags={"role": "a"})
    other = Job.objects.create("parts/b", app.id, parameters={"say_hello_to": "b"}, tags={"role": "b"})
    balsam(
        *("queue", "submit", "-n", "1", "-t", "10", "-q", "local", "-A", "local", "-j", "mpi"),
        *("--part", "serial:1:role=a", "--site", NAME),
    ).check()
    wait_until(ours.done, 60)
    wait_until(lambda: BatchJob.objects.first().state == "finished", 60)
    assert (Job.objects.get(ours.id).state, Job.objects.get(other.id).state) == (
        "JOB_FINISHED",
        "PREPROCESSED",
    )


def test_killed_agent_is_replaced(balsam: Balsam, site_path: Path):
    balsam("site", "start", cwd=site_path).check()
    pid = agent_pid(balsam, site_path)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: identify(pid) is None)
    balsam("site", "start", cwd=site_path).check()
    assert agent_pid(balsam, site_path) != pid


def test_agent_outlives_a_hangup(balsam: Balsam, site_path: Path):
    balsam("site", "start", cwd=site_path).check()
    pid = agent_pid(balsam, site_path)
    os.kill(pid, signal.SIGHUP)
    assert identify(pid) is not None
    app = make_hello()
    job = Job.objects.create("after", app.id, parameters={"say_hello_to": "you"})
    balsam(
        *("queue", "submit", "-n", "1", "-t", "10", "-q", "local", "-A", "local", "-j", "serial"),
        *("--site", NAME),
    ).check()
    wait_until(job.done, 60)
    assert agent_pid(balsam, site_path) == pid


def test_job_template_of_the_site_gets_its_parameters(balsam: Balsam, site_path: Path):
    template = site_path / "job-template.sh"
    head, rest = template.read_text().split("\n", 1)
    template.write_text(f"{head}\n# shout {{{{ optional_params.shout }}}}\n{rest}")
    edit(site_path, "optional_batch_job_params: {}", "optional_batch_job_params: {shout: 'no'}")
    balsam("site", "start", cwd=site_path).check()
    submit = ("queue", "submit", "-n", "1", "-t", "9", "-q", "local", "-A", "local", "-j", "mpi")
    balsam(*submit, "--site", NAME, "--tag", "a=b c").check()
    balsam(*submit, "--site", NAME, "-x", "shout=yes").check()
    balsam(*submit, "--site", NAME, "-x", "shoot=yes")

    def scripts() -> list[str]:
        found = BatchJob.objects.order_by("id")
        return [Path(b.status_info["submit_script"]).read_text() for b in found if b.scheduler_id]

    wait_until(lambda: len(scripts()) == 2, 60)
    assert "# shout no\n" in scripts()[0] and "--tag 'a=b c'" in scripts()[0]
    assert "# shout yes\n" in scripts()[1] and "--tag" not in scripts()[1]
    wait_until(lambda: {b.state for b in BatchJob.objects.all()} <= {"finished", "submit_failed"}, 60)


def test_queue_maintainer_keeps_a_number_of_batch_jobs(balsam: Balsam, site_path: Path):
    edit(site_path, "idle_ttl_sec: 0.5", "idle_ttl_sec: 30")
    edit(
        site_path,
        "\nqueue_maintainer: null",
        "\nqueue_maintainer: {submit_period: 0.2, num_queued_jobs: 2, num_nodes: 1, wall_time_min: 7}",
    )
    balsam("site", "start", cwd=site_path).check()
    wait_until(lambda: len([b for b in BatchJob.objects.all() if b.scheduler_id]) == 2, 60)
    balsam("site", "stop", cwd=site_path).check()
    found = list(BatchJob.objects.all())
    assert [(b.wall_time_min, b.queue) for b in found] == [(7, "local")] * 2
    edit(site_path, "\nqueue_maintainer: {", "\nqueue_maintainer: null\n# {")
    balsam("site", "start", cwd=site_path).check()
    for batch_job in found:
        balsam("queue", "term", batch_job.scheduler_id, "--site", NAME).check()
    wait_until(lambda: {b.state for b in BatchJob.objects.all()} == {"finished"}, 60)

"""A site from its making to its end, as the workshop's document has it: real commands, on the local queue."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from balsam.api import App, BatchJob, Job, Site
from balsam.lib.processes import identify
from tests.commands import Finished, run_balsam
from tests.waiting import wait_until

Balsam = Callable[..., Finished]
NAME = "thetagpu_tutorial"


@pytest.fixture
def balsam(db: Path, tmp_path: Path) -> Balsam:
    env = {"BALSAM_DB_PATH": str(db), "BALSAM_HOME": str(tmp_path / "home"), "BALSAM_SITE_PATH": ""}

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
    make_hello()
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
    balsam("site", "start", cwd=site_path).check()
    site = Site.objects.get(NAME)
    wait_until(lambda: Site.objects.get(NAME).allowed_queues["local"]["max_queued_jobs"] == 1, 30)

    def ask(**fields: object) -> BatchJob:
        known = {"num_nodes": 1, "wall_time_min": 5, "job_mode": "serial", "queue": "local", "project": "x"}
        return BatchJob.objects.create(site_id=site.id, **{**known, **fields})

    bad = ask(queue="nowhere")
    long = ask(wall_time_min=100_000)
    for refused in (bad, long):
        wait_until(lambda refused=refused: BatchJob.objects.get(refused.id).state == "submit_failed", 30)
    assert "not nowhere" in BatchJob.objects.get(bad.id).status_info["reason"]
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

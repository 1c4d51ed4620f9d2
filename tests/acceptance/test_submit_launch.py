"""`balsam submit-launch` as users type it: the document's line, refusals, mistakes; on the local queue."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balsam.core.models import QueuedLaunch, Site
from tests.commands import Finished
from tests.contract.test_python_api_document import PYTHON, SHELL, Shell
from tests.jobs import add_job
from tests.waiting import wait_until

(LINE,) = re.findall(r"^balsam submit-launch .*$", SHELL, re.M)
SUBMIT = ("submit-launch", "-n", 1, "-q", "debug", "-A", "proj", "-t", 5, "--job-mode", "serial")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A user's shell, with the local queue as the scheduler."""
    shell = Shell(tmp_path)
    settings = tmp_path / "home" / ".balsam" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"SCHEDULER_CLASS": "local"}')
    subprocess.run(["balsam", "init", "db"], cwd=tmp_path, env=shell.environ, check=True)
    yield shell
    shell.type("balsam server --stop")


def test_the_line_of_the_document_squares_ten_numbers(shell: Shell):
    shell.write_app(PYTHON[-1])
    shell.type("python app.py 10")
    submitted = shell.type(LINE)
    assert submitted.startswith("Submit OK: Qlaunch {'id': 1,")
    assert "'queue': 'Comp_Perf_Workshop'" in submitted

    def is_done() -> bool:
        return shell.type("balsam ls queues") == "No queued jobs detected.\n"

    wait_until(is_done, 60)
    output = shell.type("cat db/qsubmit/qlaunch1.output; balsam ls queues --history")
    listing = shell.type("BALSAM_LS_FIELDS=data balsam ls")
    assert listing.count("JOB_FINISHED") == 10, output
    for x in range(10):
        assert f"{{'x': {x}, 'y': {x * x}}}" in listing
    assert "| completed |" in output


@pytest.mark.usefixtures("local_queue")
def test_a_refusal_has_the_words_of_the_scheduler(db: Path, balsam_cli: Callable[..., Finished]):
    done = balsam_cli(*SUBMIT, "--sched-flags=--no-such-flag")
    assert done.returncode == 1
    assert "The scheduler (local) refused the batch job: " in done.stderr
    assert "unrecognized arguments: --no-such-flag" in done.stderr
    assert balsam_cli("ls", "queues").check().stdout == "No queued jobs detected.\n"
    (row,) = json.loads(balsam_cli("ls", "queues", "--history", "-o", "json").check().stdout)["rows"]
    assert (row["status"], row["state"]) == ("submit_failed", "submit-failed")
    assert "--no-such-flag" in row["reason"]


@pytest.mark.usefixtures("local_queue")
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["-n", 0], "-n"),
        (["-t", 0], "-t"),
        (["-n", "two"], "-n"),
        (["--job-mode", "both"], "--job-mode"),
        (["-q", "a; rm -rf x"], "queue (-q)"),
        (["-A", "$(id)"], "project (-A)"),
        (["--sched-flags", "run.sh"], "taken for the script"),
        (["--wf-filter", "nothing"], "No job has a workflow that contains 'nothing'"),
    ],
)
def test_a_mistake_is_told_and_leaves_nothing_behind(
    db: Path, balsam_cli: Callable[..., Finished], options: list[object], problem: str
):
    before = sorted((db / "qsubmit").glob("*"))
    done = balsam_cli(*SUBMIT, *options)
    assert done.returncode == 2, done.output
    assert problem in done.stderr
    assert not QueuedLaunch.objects.exists()
    assert sorted((db / "qsubmit").glob("*")) == before


def test_what_is_required_is_required(db: Path, balsam_cli: Callable[..., Finished]):
    done = balsam_cli("submit-launch", "-n", 1, "-q", "debug", "-A", "proj", "-t", 5)
    assert done.returncode == 2
    assert "--job-mode" in done.stderr


@pytest.mark.usefixtures("local_queue")
def test_a_filter_is_a_part_of_workflows_as_for_the_launcher(db: Path, balsam_cli: Callable[..., Finished]):
    wanted = add_job(name="a", workflow="my sweep 1")
    other = add_job(name="b", workflow="other")
    balsam_cli(*SUBMIT, "--wf-filter", "sweep 1").check()

    def is_done() -> bool:
        wanted.refresh_from_db()
        return wanted.state == "JOB_FINISHED"

    wait_until(is_done, 60)
    other.refresh_from_db()
    assert other.state == "PREPROCESSED"


@pytest.mark.usefixtures("local_queue")
def test_scripts_submit_with_dag(db: Path):
    from balsam.launcher import dag

    add_job(name="a", workflow="w")
    launch = dag.submit(project="p", queue="q", wall_minutes=5, job_mode="serial", wf_filter="w")
    assert (launch.scheduler_id, launch.nodes, launch.state) == ("1", 1, "submitted")

    def is_over() -> bool:
        QueuedLaunch.refresh_from_scheduler()
        launch.refresh_from_db()
        return launch.status == "finished"

    wait_until(is_over, 60)
    assert launch.end == "completed"


@pytest.mark.usefixtures("local_queue")
def test_the_scheduler_of_another_machine_is_not_asked(
    db: Path, tmp_path: Path, balsam_cli: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
):
    launch = QueuedLaunch.objects.create(scheduler="local", scheduler_id="77", status="queued", marker="q")
    there = tmp_path / "client"
    there.mkdir(mode=0o700)
    (there / "server-info").write_bytes((db / "server-info").read_bytes())
    (there / "server-info").chmod(0o600)
    Site.objects.update(path="/not/here/db")
    try:
        monkeypatch.setenv("BALSAM_DB_PATH", str(there))
        listing = balsam_cli("ls", "queues").check()
        assert "it is on the machine of the database" in listing.stderr
        assert "\n77 " in listing.stdout
        assert balsam_cli(*SUBMIT).returncode == 4
    finally:
        monkeypatch.setenv("BALSAM_DB_PATH", str(db))
        Site.objects.update(path=str(db))
    launch.refresh_from_db()
    assert launch.missing_since is None


@pytest.mark.usefixtures("local_queue")
def test_a_scheduler_that_cannot_be_asked_is_told_with_what_is_known(
    db: Path, local_queue: Path, balsam_cli: Callable[..., Finished]
):
    QueuedLaunch.objects.create(scheduler_id="77", status="queued", state="PENDING", reason="Priority")
    (local_queue / "settings.json").write_text('{"SCHEDULER_CLASS": "nowhere"}')
    done = balsam_cli("ls", "queues").check()
    assert "The scheduler cannot be read, so this is what was known before" in done.stderr
    assert "SCHEDULER_CLASS 'nowhere' is not known" in done.stderr
    assert "77: Priority" in done.stdout

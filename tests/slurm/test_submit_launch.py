"""`balsam submit-launch` on a real Slurm of four nodes, as users type it."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from balsam.batch import cancel, open_desk, refresh
from balsam.core.models import ApplicationDefinition, BalsamJob, QueuedLaunch
from tests.commands import Finished, run_balsam
from tests.contract.test_python_api_document import PYTHON, SHELL, Shell
from tests.jobs import add_job
from tests.launching import script
from tests.slurm.cluster import SlurmCluster
from tests.waiting import wait_until

(LINE,) = re.findall(r"^balsam submit-launch .*$", SHELL, re.M)
QUEUE = "Comp_Perf_Workshop"
SUBMIT = ("submit-launch", "-n", 1, "-q", QUEUE, "-A", "project", "-t", 5, "--job-mode", "serial")


@pytest.fixture
def queue(slurm: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlurmCluster]:
    """The cluster as the scheduler of this process, with the document's queue."""
    for name, value in slurm.env.items():
        monkeypatch.setenv(name, value)
    slurm.run("scontrol", "create", f"PartitionName={QUEUE}", "Nodes=ALL", "MaxTime=60", "State=UP")
    yield slurm
    slurm.reset()
    slurm.run("scontrol", "delete", f"PartitionName={QUEUE}")


@pytest.fixture
def shell(queue: SlurmCluster, tmp_path: Path) -> Iterator[Shell]:
    """A user's shell on the cluster."""
    shell = Shell(tmp_path)
    run_balsam("init", tmp_path / "db", env=shell.environ).check()
    yield shell
    shell.type("balsam server --stop")


def launches() -> list[dict[str, Any]]:
    """All batch jobs, as `balsam ls queues --history` gives them to programs."""
    done = run_balsam("ls", "queues", "--history", "-o", "json").check()
    rows: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return rows


def test_the_line_of_the_document_squares_ten_numbers(shell: Shell, queue: SlurmCluster):
    shell.write_app(PYTHON[-1])
    shell.type("python app.py 10")
    assert "Submit OK: Qlaunch {" in shell.type(LINE)

    def is_done() -> bool:
        return "JOB_FINISHED  10" in shell.type("balsam ls --by-states")

    wait_until(is_done, 120)
    listing = shell.type("BALSAM_LS_FIELDS=data balsam ls")
    for x in range(10):
        assert f"{{'x': {x}, 'y': {x * x}}}" in listing
    wait_until(lambda: shell.type("balsam ls queues") == "No queued jobs detected.\n", 60)
    history = shell.type("balsam ls queues --history")
    assert f"| {QUEUE} | 2 " in history
    assert "| completed |" in history
    assert "10 jobs finished, 0 failed" in shell.type("cat db/qsubmit/qlaunch1.output")


@pytest.mark.usefixtures("queue")
def test_a_refusal_has_the_words_of_slurm(db: Path, balsam_cli: Callable[..., Finished]):
    done = balsam_cli(*SUBMIT, "-q", "no-such-queue")
    assert done.returncode == 1
    assert "invalid partition specified" in done.stderr
    assert QueuedLaunch.objects.get().status == "submit_failed"


def test_the_reason_why_a_batch_job_waits_is_told(
    db: Path, queue: SlurmCluster, balsam_cli: Callable[..., Finished]
):
    balsam_cli(*SUBMIT, "-q", "closed").check()

    def text() -> str:
        return balsam_cli("ls", "queues").check().stdout

    wait_until(lambda: "PartitionDown" in text(), 60)
    assert "| PENDING " in text()


def test_a_cancelled_batch_job_and_its_jobs_end_as_such(
    db: Path, queue: SlurmCluster, balsam_cli: Callable[..., Finished]
):
    ApplicationDefinition.objects.create(name="sleep", executable="/bin/sleep 300")
    job = add_job(name="long", application="sleep", workflow="w")
    balsam_cli(*SUBMIT, "--wf-filter", "w").check()
    wait_until(lambda: BalsamJob.objects.get(pk=job.pk).state == "RUNNING", 60)
    (row,) = launches()
    assert row["status"] == "running"
    queue.run("scancel", row["scheduler_id"])
    wait_until(lambda: launches()[0]["end"] == "cancelled", 90)
    assert "RUN_TIMEOUT" in BalsamJob.objects.get(pk=job.pk).state_history


def test_what_is_cancelled_here_ends_there(
    db: Path, queue: SlurmCluster, balsam_cli: Callable[..., Finished]
):
    balsam_cli(*SUBMIT, "-q", "closed").check()
    desk = open_desk(db)
    (info,) = desk.client.batch_jobs()
    cancel(desk, info.batch_job_id)

    def is_over() -> bool:
        refresh(desk)
        return not desk.client.batch_jobs()

    wait_until(is_over, 60)
    assert launches()[0]["end"] == "cancelled"


def test_batch_jobs_that_balsam_has_not_submitted_are_listed_while_they_last(
    db: Path, queue: SlurmCluster, tmp_path: Path, balsam_cli: Callable[..., Finished]
):
    own = script(tmp_path, "own.sh", "#!/bin/sh\n")
    job_id = queue.submit(own, "--partition=closed", "--job-name=my own, with | in it")
    listing = balsam_cli("ls", "queues").check().stdout
    assert f"\n{job_id} " in listing
    assert "| False" in listing
    queue.run("scancel", job_id)
    wait_until(lambda: balsam_cli("ls", "queues").check().stdout == "No queued jobs detected.\n", 60)
    assert launches() == []


def test_a_controller_that_is_away_ends_nothing(
    db: Path, queue: SlurmCluster, balsam_cli: Callable[..., Finished]
):
    balsam_cli(*SUBMIT, "-q", "closed").check()
    away = {**os.environ, "SLURM_CONF": "/nonexistent/slurm.conf"}
    done = balsam_cli("ls", "queues", env=away)
    assert done.returncode == 0
    assert "The scheduler cannot be read, so this is what was known before" in done.stderr
    assert "| closed |" in done.stdout


@pytest.mark.parametrize("end", ["exit 1", "kill -9 $$", "echo '\\000\\377 4711'; exit 0"])
def test_a_submission_whose_answer_is_lost_is_found_by_its_name(
    db: Path,
    queue: SlurmCluster,
    local_queue: Path,
    tmp_path: Path,
    balsam_cli: Callable[..., Finished],
    end: str,
):
    wrapper = script(tmp_path, "sbatch", f'#!/bin/sh\n{shutil.which("sbatch")} "$@" >/dev/null\n{end}\n')
    settings = {"SCHEDULER_CLASS": "slurm", "SCHEDULER_SUBMIT_EXE": str(wrapper)}
    (local_queue / "settings.json").write_text(json.dumps(settings))
    balsam_cli(*SUBMIT, "-q", "closed").check()
    (row,) = launches()
    assert queue.run("squeue", "-h", "-o", "%i %j").split() == [row["scheduler_id"], row["marker"]]
    assert row["status"] == "queued"

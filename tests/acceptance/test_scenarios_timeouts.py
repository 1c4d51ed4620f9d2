"""Launchers that are stopped in mid-run: what becomes of the jobs that were running."""

import signal
from pathlib import Path

import pytest

from balsam.core.models import BalsamJob
from tests.jobs import add_app, add_job, history
from tests.launching import dag_script, finish, launcher, lines, run_launcher, script
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")

HANDLER = """
print('timeout', dag.TIMEOUT)
if dag.TIMEOUT:
    job.update_state('JOB_FINISHED', 'handled the timeout; half will do')
"""


@pytest.fixture
def slow(tmp_path: Path) -> str:
    """An application that runs until it is stopped, and then quickly; its postprocess handles timeouts."""
    started = tmp_path / "started"
    app = script(
        tmp_path,
        "slow",
        f"#!/bin/sh\necho x >> {started}\n[ $(wc -l < {started}) -gt 1 ] || exec sleep 600\n",
    )
    add_app("slow", str(app), postprocess=str(dag_script(tmp_path, "post.py", HANDLER)))
    return "slow"


def run_and_stop(tmp_path: Path) -> None:
    """Run a launcher, and send it SIGTERM as soon as the job has started."""
    with launcher() as running:
        wait_until(lambda: lines(tmp_path / "started"))
        running.send_signal(signal.SIGTERM)
        finish(running)


def test_job_of_a_stopped_launcher_is_restarted_by_the_next_one(slow: str, tmp_path: Path) -> None:
    """T4: RUN_TIMEOUT, then RESTART_READY; the handler is not asked, as the job has none."""
    job = add_job(application=slow, name="slow", workflow="test")
    run_and_stop(tmp_path)
    assert history(job)[-3:] == ["RUNNING", "RUN_TIMEOUT", "RESTART_READY"]
    run_launcher().check()
    assert history(job)[-4:] == ["RUNNING", "RUN_DONE", "POSTPROCESSED", "JOB_FINISHED"]
    assert lines(Path(job.working_directory, "postprocess.log"))[1:] == ["timeout False"]
    assert BalsamJob.objects.get(pk=job.pk).attempt == 2


def test_timeout_handler_decides_in_place_of_a_restart(slow: str, tmp_path: Path) -> None:
    """T5: no RESTART_READY, and the handler's words are in the history."""
    job = add_job(application=slow, name="slow", workflow="test", post_timeout_handler=True)
    run_and_stop(tmp_path)
    run_launcher().check()
    assert history(job)[-3:] == ["RUNNING", "RUN_TIMEOUT", "JOB_FINISHED"]
    assert "handled the timeout; half will do" in job.state_history
    assert lines(Path(job.working_directory, "postprocess.log"))[1:] == [
        "# handling the state RUN_TIMEOUT",
        "timeout True",
    ]
    assert len(lines(tmp_path / "started")) == 1


def test_job_that_does_not_restart_by_itself_fails(slow: str, tmp_path: Path) -> None:
    """T6: with auto_timeout_retry off, a timeout is the end."""
    job = add_job(application=slow, name="slow", workflow="test", auto_timeout_retry=False)
    run_and_stop(tmp_path)
    run_launcher().check()
    assert history(job)[-3:] == ["RUNNING", "RUN_TIMEOUT", "FAILED"]
    assert "auto_timeout_retry is off" in job.state_history
    assert len(lines(tmp_path / "started")) == 1

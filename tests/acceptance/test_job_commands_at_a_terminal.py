"""``balsam job VERB`` at a terminal: questions, progress, following, and Ctrl-C."""

import signal
from pathlib import Path

import pytest

from balsam.api import App, Job
from balsam.core.models import BalsamJob
from balsam.states import JobState as S
from tests.commands import run_balsam
from tests.jobs import claim, open_session, report
from tests.terminal import Terminal
from tests.waiting import wait_until


@pytest.fixture
def env(db: Path) -> dict[str, str]:
    """The environment of a user with three jobs of the application Slow."""
    app = App.objects.create(site_id=1, name="Slow", command_template="echo begun; sleep 3; echo done")
    Job.objects.bulk_create([Job(f"w/{n}", app.id, tags={"n": str(n)}) for n in range(3)])
    return {"BALSAM_DB_PATH": str(db)}


def numbers() -> list[int]:
    return [job.id for job in Job.objects.order_by("id")]


@pytest.mark.parametrize(("answer", "left"), [("n\n", 3), ("y\n", 0), ("what?\ny\n", 0)])
def test_deletion_is_asked_about(env: dict[str, str], answer: str, left: int):
    with Terminal("job", "rm", "--all", env=env) as terminal:
        assert "3 jobs: 3 PREPROCESSED" in terminal.read_until("Really delete 3 jobs? [y/n]: ")
        terminal.type(answer)
        assert terminal.end() == 0
    assert len(numbers()) == left


def test_ctrl_c_at_a_question_changes_nothing(env: dict[str, str]):
    with Terminal("job", "modify", "--app", "Slow", "--priority", "3", env=env) as terminal:
        terminal.read_until("Change 3 jobs? [y/n]: ")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 130
    assert {job.priority for job in Job.objects.all()} == {0}


def test_waiting_shows_how_it_goes_and_ends_when_the_jobs_do(env: dict[str, str]):
    session = open_session()
    specs = claim(session)
    report(session, specs, S.RUNNING)
    with Terminal("job", "wait", "--site", "all", env=env) as terminal:
        terminal.read_until("0 of 3 finished, 3 running")
        report(session, specs[:1], S.RUN_DONE, code=0)
        terminal.read_until("1 of 3 finished, 2 running")
        report(session, specs[1:2], S.RUN_ERROR, code=3)
        report(session, specs[2:], S.RUN_DONE, code=0)
        assert terminal.end() == 1
    failed = BalsamJob.objects.get(state="FAILED").number
    assert "2 of 3 finished, 1 failed" in terminal.shown
    assert f"1 of 3 jobs failed: {failed}. `balsam job explain {failed}` says why." in terminal.shown


def test_ctrl_c_ends_a_wait(env: dict[str, str]):
    with Terminal("job", "wait", "--site", "all", env=env) as terminal:
        terminal.read_until("0 of 3 finished")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 130
    assert "Traceback" not in terminal.shown


def test_output_is_followed_until_the_job_ends(env: dict[str, str], db: Path):
    first, *others = numbers()
    run_balsam("job", "rm", *others, "--yes", env=env).check()
    with (
        Terminal("job", "logs", first, "--follow", env=env) as logs,
        Terminal("launcher", "--consume-all", "--job-mode", "serial", env=env) as launcher,
    ):
        logs.read_until("begun\n")
        assert logs.process.poll() is None
        logs.read_until("done\n")
        assert logs.end() == 0
        assert launcher.end() == 0
    assert logs.shown == "begun\ndone\n"
    wait_until(lambda: Job.objects.get(id=first).state == "JOB_FINISHED", timeout_sec=30)


@pytest.mark.parametrize(
    "words",
    [
        ("job", "ls"),
        ("job", "ls", "--by-state"),
        ("job", "explain", "--app", "Slow"),
        ("job", "history", "--tag", "n=1"),
        ("app", "ls"),
        ("site", "ls"),
    ],
)
def test_listing_at_a_terminal_is_that_of_a_pipe(env: dict[str, str], words: tuple[str, ...]):
    with Terminal(*words, env=env) as terminal:
        assert terminal.end() == 0
    assert terminal.shown == run_balsam(*words, env=env).check().stdout
    assert "\x1b" not in terminal.shown

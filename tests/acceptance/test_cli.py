"""The command line as another process: pipes, closed input, signals, and databases that are not there."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from balsam.core.models import BalsamJob
from tests.commands import Finished, script_path
from tests.waiting import wait_until

Cli = Callable[..., Finished]


def add_jobs(count: int) -> None:
    BalsamJob.objects.bulk_create(BalsamJob(name=f"job{i}", workflow="wf") for i in range(count))


def test_commands_without_an_active_database_say_how_to_get_one(balsam_cli: Cli):
    for command in (["ls"], ["app", "--name", "a", "--executable", "b"], ["make_dummies", "1"], ["log"]):
        done = balsam_cli(*command)
        assert done.returncode == 6, done.output
        for hint in ("balsamactivate", "balsam which --list", "balsam init"):
            assert hint in done.stderr
        assert done.stdout == ""


def test_directory_that_is_no_database_is_told(balsam_cli: Cli, tmp_path: Path):
    for path in (tmp_path, tmp_path / "gone"):
        done = balsam_cli("ls", env={"BALSAM_DB_PATH": str(path)})
        assert done.returncode == 6, done.output
        assert str(path) in done.stderr
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_closed_input_ends_a_question(balsam_cli: Cli, db: Path):
    add_jobs(1)
    command = [script_path("balsam"), "rm", "jobs", "--all"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "--yes" in done.stderr
    closed = subprocess.run(
        ["bash", "-c", f"{command[0]} rm jobs --all <&-"], capture_output=True, check=False
    )
    assert closed.returncode == 2
    assert BalsamJob.objects.count() == 1


def test_answer_may_come_from_a_pipe(db: Path):
    add_jobs(2)
    subprocess.run(
        ["bash", "-c", f"yes | {script_path('balsam')} rm jobs --all"], check=True, capture_output=True
    )
    assert BalsamJob.objects.count() == 0


def test_interrupted_question_deletes_nothing(db: Path):
    add_jobs(1)
    question = subprocess.Popen(
        [script_path("balsam"), "rm", "jobs", "--all"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert question.stdout is not None
    text = ""
    while "[y/n]: " not in text:
        text += question.stdout.read(1)
    question.send_signal(signal.SIGINT)
    _, err = question.communicate(timeout=30)
    assert question.returncode == 130
    assert "Traceback" not in err
    assert BalsamJob.objects.count() == 1


def test_closed_pipe_ends_a_listing_quietly(db: Path):
    add_jobs(3000)
    script = f"{script_path('balsam')} ls | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "141"


def test_log_follows_old_and_new_files_until_interrupted(db: Path, tmp_path: Path):
    logs = db / "log"
    logs.mkdir(exist_ok=True)
    (logs / "old.log").write_text("before\n")
    out = tmp_path / "out"
    with out.open("w") as file:
        log = subprocess.Popen([script_path("balsam"), "log"], stdout=file, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: "before\n" in out.read_text())
        (logs / "new.log").write_text("after\n")
        wait_until(lambda: "after\n" in out.read_text())
    finally:
        log.send_signal(signal.SIGINT)
        _, err = log.communicate(timeout=30)
    assert (log.returncode, err) == (130, b"")
    (logs / "new.log").unlink()
    (logs / "old.log").unlink()


def test_unexpected_error_shows_its_traceback_only_on_demand(db: Path, balsam_cli: Cli, tmp_path: Path):
    code = (
        "import sys\nfrom balsam.cli import ls_jobs, main\n"
        "ls_jobs.show_table = lambda request: 1 / 0\n"
        "sys.exit(main.run(sys.argv[1:]))\n"
    )
    script = tmp_path / "broken.py"
    script.write_text(code)
    python = script_path("python")
    quiet = subprocess.run([python, script, "ls"], capture_output=True, text=True, check=False)
    assert quiet.returncode == 1
    assert quiet.stderr.startswith("Unexpected error: ZeroDivisionError: division by zero\n")
    loud = subprocess.run([python, script, "ls", "--debug"], capture_output=True, text=True, check=False)
    assert "Traceback (most recent call last)" in loud.stderr


@pytest.mark.parametrize(
    "command", ["app", "job", "dep", "ls", "modify", "rm", "kill", "killjob", "mkchild", "log"]
)
def test_help_has_examples_and_needs_no_database(balsam_cli: Cli, command: str):
    done = balsam_cli(command, "--help").check()
    assert done.stdout.index("Examples:") < done.stdout.index("Options:")
    assert f"balsam {command}" in done.stdout.split("Examples:")[1]


def test_names_with_any_characters_survive(db: Path, balsam_cli: Cli):
    name = "a'b\"; DROP TABLE core_balsamjob; -- \\ é\t☃ $(touch x) `y`"
    balsam_cli("app", "--name", name, "--executable", "/bin/true").check()
    balsam_cli("job", "--name", name, "--workflow", name, "--app", name, "--yes").check()
    assert BalsamJob.objects.get().name == name
    assert balsam_cli("ls", "--name", name, "--wf", name, "-o", "ids").check().stdout.strip()
    assert "No jobs" in balsam_cli("ls", "--name", "a%b").check().stdout
    assert not os.path.exists("x")

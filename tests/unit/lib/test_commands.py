"""Whatever a command does is an answer."""

import os
import signal
import sys

from balsam.lib.commands import Command, run_command
from tests.waiting import wait_until


def python(code: str, timeout_sec: float = 60.0) -> Command:
    return Command([sys.executable, "-c", code], timeout_sec=timeout_sec)


def test_words_and_code_of_a_command_are_told():
    answer = run_command(python("import sys; print('out'); print('why', file=sys.stderr); sys.exit(3)"))
    assert (answer.returncode, answer.stdout, answer.words) == (3, "out\n", "why")
    assert not answer.is_ok


def test_variables_are_added_to_the_environment():
    command = Command(
        [sys.executable, "-c", "import os; print(os.environ['FORMAT'], 'PATH' in os.environ)"],
        {"FORMAT": "x"},
    )
    assert run_command(command).stdout == "x True\n"


def test_missing_command_is_known_not_to_have_started():
    answer = run_command(Command(["/no/such/command"]))
    assert answer.returncode is None and not answer.started
    assert "/no/such/command" in answer.words


def test_command_that_hangs_is_killed_with_its_children(tmp_path):
    pid_file = tmp_path / "pid"
    code = (
        "import subprocess, sys, time; child = subprocess.Popen(['sleep', '600']);"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid)); print('half', flush=True); time.sleep(600)"
    )
    answer = run_command(python(code, timeout_sec=2.0))
    assert answer.returncode is None and answer.started and not answer.is_ok
    assert "did not answer within 2 s" in answer.words
    assert answer.stdout == "half\n"

    def is_gone() -> bool:
        try:
            os.kill(int(pid_file.read_text()), 0)
        except ProcessLookupError:
            return True
        return open(f"/proc/{pid_file.read_text()}/stat").read().split()[2] == "Z"

    wait_until(is_gone, 10)


def test_descendant_that_keeps_the_pipe_does_not_hold_the_answer(tmp_path):
    pid_file = tmp_path / "pid"
    code = (
        "import subprocess, time; child = subprocess.Popen(['sleep', '600'], start_new_session=True);"
        f"open({str(pid_file)!r}, 'w').write(str(child.pid)); time.sleep(600)"
    )
    answer = run_command(python(code, timeout_sec=2.0))
    assert answer.returncode is None
    os.kill(int(pid_file.read_text()), signal.SIGKILL)  # raises unless it outlived the answer


def test_bytes_that_are_no_text_are_replaced():
    answer = run_command(python("import sys; sys.stdout.buffer.write(b'a\\xffb')"))
    assert answer.stdout == "a\ufffdb"

"""The runner with real processes: what they inherit, how they end, and that nothing of them lingers."""

import json
import math
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from balsam.exceptions import JobStartError
from balsam.launcher.process_group import ProcessGroup
from balsam.launcher.process_start import ProcessStart
from balsam.launcher.runner import Ended, Runner
from tests.waiting import wait_until

PATH = "/usr/local/bin:/usr/bin:/bin"


@pytest.fixture
def runner() -> Iterator[Runner]:
    runner = Runner({"PATH": PATH, "HOME": "/nowhere", "KEPT": "yes"})
    yield runner
    runner.terminate_all(0)
    wait_until(lambda: runner.reap() is not None and not len(runner), what="everything to end")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    return tmp_path / "scripts"


def start(runner: Runner, tmp_path: Path, argv: list[str], key: str = "job", **more: Any) -> None:
    more.setdefault("output", "job.out")
    runner.start(key, ProcessStart(argv=argv, workdir=str(tmp_path / "work"), **more))


def end_of(runner: Runner, timeout_sec: float = 30) -> Ended:
    (ended,) = wait_until(runner.reap, timeout_sec)
    return ended


def output(tmp_path: Path, name: str = "job.out") -> str:
    return (tmp_path / "work" / name).read_text()


def run(runner: Runner, tmp_path: Path, argv: list[str], **more: Any) -> str:
    """Run to the end with exit code 0; returns the output."""
    start(runner, tmp_path, argv, **more)
    assert end_of(runner).return_code == 0, output(tmp_path)
    return output(tmp_path)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_process_runs_in_a_new_directory_with_both_streams_in_its_output_file(
    runner: Runner, tmp_path: Path
) -> None:
    start(runner, tmp_path / "a" / "b", ["sh", "-c", "pwd; echo oops >&2; exit 3"])
    assert "job" in runner and len(runner) == 1
    ended = end_of(runner)
    assert (ended.key, ended.return_code) == ("job", 3)
    assert output(tmp_path / "a" / "b") == f"{tmp_path}/a/b/work\noops\n"
    assert "job" not in runner and len(runner) == 0 and runner.next_deadline == math.inf


def test_the_environment_is_inherited_then_overlaid(runner: Runner, tmp_path: Path) -> None:
    start(runner, tmp_path, ["env"], environ={"HOME": "/home/é\udce9", "NEW": "a=b c"})
    assert end_of(runner).return_code == 0
    lines = (tmp_path / "work" / "job.out").read_bytes().splitlines()
    assert set(lines) == {
        os.fsencode(line)
        for line in (f"PATH={PATH}", "HOME=/home/é\udce9", "KEPT=yes", "NEW=a=b c", f"PWD={tmp_path}/work")
    }


def test_a_process_inherits_no_descriptor_signal_setting_or_terminal(runner: Runner, tmp_path: Path) -> None:
    code = """if True:
        import json, os, signal
        print(json.dumps({
            "fds": [fd for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)],
            "stdin": os.read(0, 1).decode(),
            "blocked": [int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
            "ignored": open("/proc/self/status").read().partition("SigIgn:")[2].split()[0],
            "session": os.getsid(0) == os.getpid() == os.getpgrp(),
        }))
    """
    reader, writer = os.pipe()
    devnull, saved = os.open("/dev/null", os.O_RDONLY), os.dup(0)
    os.dup2(devnull, 0)
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        seen = json.loads(run(runner, tmp_path, python(code)))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
        signal.signal(signal.SIGHUP, previous)
        os.dup2(saved, 0)
        for fd in (reader, writer, devnull, saved):
            os.close(fd)
    assert not {str(reader), str(writer), str(devnull), str(saved)} & set(seen["fds"])
    # python itself ignores SIGPIPE (13) and SIGXFSZ (25), the C library its own 32 and 33
    ignored = {number for number in range(1, 65) if int(seen["ignored"], 16) >> (number - 1) & 1}
    assert ignored <= {13, 25, 32, 33}
    assert (seen["stdin"], seen["blocked"], seen["session"]) == ("", [], True)


def test_a_process_is_bound_to_the_cpus_asked_for_and_the_starter_is_not(
    runner: Runner, tmp_path: Path
) -> None:
    all_cpus = os.sched_getaffinity(0)
    cpu = max(all_cpus)
    assert run(runner, tmp_path, python("import os; print(os.sched_getaffinity(0))"), cpu_ids=(cpu,)) == (
        f"{{{cpu}}}\n"
    )
    assert os.sched_getaffinity(0) == all_cpus
    assert run(runner, tmp_path, ["echo", "unbound"], cpu_ids=(99_999,)) == "unbound\n"


def test_the_output_of_earlier_attempts_is_kept(runner: Runner, tmp_path: Path) -> None:
    for attempt in (1, 2, 3, 3):
        run(runner, tmp_path, ["echo", f"attempt {attempt}"], attempt=attempt)
    assert output(tmp_path, "job.out.1") == "attempt 1\n"
    assert output(tmp_path, "job.out.2") == "attempt 2\n"
    assert output(tmp_path, "job.out.2.1") == "attempt 3\n"
    assert output(tmp_path) == "attempt 3\n"


def test_a_first_attempt_may_be_the_second_of_a_job_that_never_wrote(runner: Runner, tmp_path: Path) -> None:
    assert run(runner, tmp_path, ["echo", "x"], attempt=2) == "x\n"
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["job.out"]


def test_arguments_reach_the_program_as_they_are(runner: Runner, tmp_path: Path) -> None:
    words = ["; rm -rf x", "$(id)", "`id`", "a\nb", "-o", "'\"", "*", "ü", "~", ""]
    text = run(runner, tmp_path, python("import sys, json; print(json.dumps(sys.argv[1:]))") + words)
    assert json.loads(text) == words


def test_a_script_without_a_first_line_is_run_by_sh(runner: Runner, tmp_path: Path, scripts: Path) -> None:
    path = script(scripts / "plain", 'echo "$# $1"\n')
    assert run(runner, tmp_path, [path, "a b"]) == "1 a b\n"


def test_a_program_is_found_on_the_path_of_its_own_environment(
    runner: Runner, tmp_path: Path, scripts: Path
) -> None:
    script(scripts / "tool", "#!/bin/sh\necho first\n")
    environ = {"PATH": f"{scripts}:{PATH}"}
    assert run(runner, tmp_path, ["tool"], environ=environ) == "first\n"
    (scripts / "tool").unlink()
    (tmp_path / "moved").mkdir()
    script(tmp_path / "moved" / "tool", "#!/bin/sh\necho moved\n")
    environ = {"PATH": f"{scripts}:{tmp_path}/moved:{PATH}"}
    assert run(runner, tmp_path, ["tool"], environ=environ) == "moved\n"


def test_a_program_that_moved_along_the_path_is_found_again(
    runner: Runner, tmp_path: Path, scripts: Path
) -> None:
    environ = {"PATH": f"{tmp_path}/one:{tmp_path}/two:{PATH}"}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        script(tmp_path / name / "tool", f"#!/bin/sh\necho {name}\n")
    assert run(runner, tmp_path, ["tool"], environ=environ) == "one\n"
    (tmp_path / "one" / "tool").unlink()
    assert run(runner, tmp_path, ["tool"], environ=environ) == "two\n"


def bad_starts(tmp_path: Path) -> dict[str, tuple[dict[str, Any], str]]:
    """What cannot be started, and what the reason must say."""
    odd = tmp_path / "odd"
    odd.mkdir()
    (odd / "no-x").write_text("#!/bin/sh\n")
    script(odd / "no-interpreter", "#!/no/such/python -u\n")
    script(odd / "windows", "#!/bin/sh\r\necho\r\n")
    (odd / "foreign").write_bytes(b"\x7fELF\0\0\0\0 not for this machine")
    (odd / "foreign").chmod(0o755)
    (odd / "file").write_text("")
    (odd / "out.out").mkdir()
    os.mkfifo(odd / "pipe.out")
    (odd / "broken").symlink_to(odd / "nowhere" / "x")
    return {
        "no such program": ({"argv": ["no-such-program"]}, r"no such program on PATH \(/usr/local"),
        "no such path": ({"argv": ["/no/such/program"]}, "no such file"),
        "relative path": ({"argv": ["./absent"]}, "no such file .looked for from"),
        "not executable": ({"argv": [str(odd / "no-x")]}, r"not executable. Make it so with `chmod \+x"),
        "not executable on PATH": ({"argv": ["no-x"], "environ": {"PATH": str(odd)}}, "is not executable"),
        "directory": ({"argv": [str(odd)]}, "is a directory"),
        "below a file": ({"argv": [f"{odd}/file/x"]}, "no such file"),
        "no interpreter": ({"argv": [f"{odd}/no-interpreter"]}, "interpreter '/no/such/python'"),
        "Windows line ends": ({"argv": [f"{odd}/windows"]}, "lines end as on Windows"),
        "foreign binary": ({"argv": [f"{odd}/foreign"]}, "no program for this machine"),
        "NUL in an argument": ({"argv": ["echo", "a\0b"]}, "NUL"),
        "NUL in the environment": ({"environ": {"A": "x\0"}}, "variable 'A'"),
        "= in a variable's name": ({"environ": {"A=B": "x"}}, "variable 'A=B'"),
        "NUL in the program": ({"argv": ["a\0b/c"]}, "NUL"),
        "no text": ({"argv": [""]}, "no such program|empty"),
        "huge argument": ({"argv": ["echo", "x" * 3_000_000]}, "larger than the system passes on"),
        "file as directory": ({"workdir": str(odd / "file")}, "working directory .*not a directory"),
        "below a file as directory": ({"workdir": f"{odd}/file/w"}, "working directory .*not a directory"),
        "broken link as directory": ({"workdir": str(odd / "broken")}, "Cannot use the working directory"),
        "NUL in the directory": ({"workdir": "/tmp/a\0b"}, "Cannot use the working directory"),
        "system directory": ({"workdir": "/proc/balsam"}, "Cannot use the working directory"),
        "long name": ({"workdir": str(odd / ("x" * 300))}, "shorter names"),
        "directory as output": ({"workdir": str(odd), "output": "out.out"}, "output file .*is a directory"),
        "pipe as output": ({"workdir": str(odd), "output": "pipe.out"}, "pipe or socket that nobody reads"),
    }


def test_a_bad_start_fails_alone_with_its_reason(runner: Runner, tmp_path: Path) -> None:
    for name, (change, reason) in bad_starts(tmp_path).items():
        args: dict[str, Any] = {"argv": ["true"], "workdir": str(tmp_path / "work"), "output": "job.out"}
        with pytest.raises(JobStartError, match=reason) as caught:
            runner.start("bad", ProcessStart(**{**args, **change}))
        assert str(caught.value).count(". ") >= 1, f"{name}: no advice in {caught.value}"
        assert len(runner) == 0
    assert run(runner, tmp_path, ["echo", "still here"]) == "still here\n"


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_an_unwritable_directory_fails_the_start_alone(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(JobStartError, match=r"permission denied.*Give yourself write access"):
        start(runner, tmp_path / "closed", ["true"])


def test_a_signal_is_reported_as_its_negative_number(runner: Runner, tmp_path: Path) -> None:
    start(runner, tmp_path, ["sh", "-c", "kill -SEGV $$"])
    assert end_of(runner).return_code == -signal.SIGSEGV


def test_what_a_process_leaves_in_its_group_is_killed_when_it_ends(runner: Runner, tmp_path: Path) -> None:
    left = int(run(runner, tmp_path, ["sh", "-c", "sleep 600 & echo $!"]))
    wait_until(lambda: is_gone(left))


def test_a_kill_reaches_the_whole_group_and_stopped_processes(runner: Runner, tmp_path: Path) -> None:
    start(runner, tmp_path, ["bash", "-c", "sleep 600 & echo $!; kill -STOP $! $$"])
    child = int(wait_until(lambda: output(tmp_path)))
    runner.terminate(["job", "unknown"], grace_sec=60)
    assert end_of(runner).return_code == -signal.SIGTERM
    assert is_gone(child)


def test_a_kill_reaches_processes_in_groups_and_sessions_of_their_own(runner: Runner, tmp_path: Path) -> None:
    code = "setsid sh -c 'echo $$; exec sleep 600' & set -m; sleep 600 & echo $!; wait"
    start(runner, tmp_path, ["bash", "-c", code])
    pids = wait_until(lambda: len(found := output(tmp_path).split()) == 2 and [int(pid) for pid in found])
    runner.terminate(["job"], grace_sec=0)
    assert end_of(runner).return_code in (-signal.SIGTERM, -signal.SIGKILL)
    wait_until(lambda: all(map(is_gone, pids)))


def test_a_process_that_ignores_the_request_to_end_is_killed_after_its_grace(tmp_path: Path) -> None:
    now = [100.0]
    runner = Runner({"PATH": PATH}, clock=lambda: now[0])
    start(
        runner, tmp_path, ["bash", "-c", "trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done"]
    )
    wait_until(lambda: output(tmp_path) == "ready\n")
    runner.terminate(["job"], grace_sec=10)
    runner.terminate(["job"], grace_sec=20)
    assert runner.next_deadline == 110
    wait_until(lambda: "asked" in output(tmp_path))
    assert runner.reap() == []
    now[0] = 110.5
    ended = end_of(runner)
    assert (ended.return_code, ended.ended_at) == (-signal.SIGKILL, 110.5)


def test_the_children_of_a_process_that_was_told_to_end_have_the_same_grace(
    runner: Runner, tmp_path: Path
) -> None:
    saver = "trap 'sleep 0.2; echo saved; exit' TERM; echo ready; while :; do sleep 0.01; done"
    start(runner, tmp_path, ["bash", "-c", f'bash -c "$0" & exec sleep 600; {saver}', saver])
    wait_until(lambda: output(tmp_path) == "ready\n")
    runner.terminate(["job"], grace_sec=60)
    assert end_of(runner).return_code == -signal.SIGTERM
    assert "saved" in output(tmp_path)


def test_children_that_ignore_the_request_to_end_are_killed_with_it(tmp_path: Path) -> None:
    now = [0.0]
    runner = Runner({"PATH": PATH}, clock=lambda: now[0])
    deaf = "trap '' TERM; echo $$; while :; do sleep 0.01; done"
    start(runner, tmp_path, ["bash", "-c", 'bash -c "$0" & exec sleep 600', deaf])
    child = int(wait_until(lambda: output(tmp_path)))
    runner.terminate(["job"], grace_sec=10)
    wait_until(lambda: runner.reap() == [] and runner.next_deadline < 1)
    assert "job" in runner
    now[0] = 10
    assert end_of(runner).return_code == -signal.SIGTERM
    wait_until(lambda: is_gone(child))


def test_a_process_that_not_even_sigkill_ends_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    runner = Runner({"PATH": PATH}, clock=lambda: now[0])
    start(runner, tmp_path, ["sh", "-c", "echo $$; exec sleep 600"])
    pid = int(wait_until(lambda: output(tmp_path)))
    with monkeypatch.context() as patch:
        patch.setattr(ProcessGroup, "signal", lambda group, number: True)
        runner.terminate(["job"], grace_sec=0)
        assert runner.reap() == []
        now[0] = runner.next_deadline
        assert end_of(runner).return_code is None
    assert len(runner) == 0
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_gone(pid))
    assert runner.reap() == []

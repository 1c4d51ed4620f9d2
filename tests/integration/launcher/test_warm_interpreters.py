"""Python applications of a worker: forked by a warm interpreter, and as well off as in a fresh one."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from balsam.exceptions import UsageError
from balsam.launcher.warm_pool import MAX_SERVERS
from balsam.lib.processes import orphans_of
from balsam.schemas.jobs import AppCode
from tests.python_apps import app_of, python_job, teach, value_of
from tests.waiting import wait_until
from tests.worker_driver import Driver, is_gone, worker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="interpreters are kept warm on Linux alone")
SERVER = b"balsam.launcher.warm_server"


def drive(
    tmp_path: Path, play: Callable[[Driver], Awaitable[None]], code: AppCode | None = None, **options: Any
) -> None:
    async def run() -> None:
        async with worker(tmp_path, environ={"BALSAM_TEST_WORKER": str(tmp_path)}, **options) as driver:
            if code is not None:
                teach(driver, code)
            await play(driver)

    asyncio.run(run())
    wait_until(lambda: not orphans_of("BALSAM_TEST_WORKER", str(tmp_path)), what="an end of all processes")


def servers(tmp_path: Path) -> list[int]:
    """Pids of the warm interpreters, and of jobs that they have forked: the command line is the same."""
    found = orphans_of("BALSAM_TEST_WORKER", str(tmp_path))
    return [pid for pid in found if SERVER in Path(f"/proc/{pid}/cmdline").read_bytes()]


def show(self: Any, number: int) -> dict[str, Any]:
    import os
    import subprocess
    import sys

    print("out", number, flush=True)
    print("err", number, file=sys.stderr)
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "session": os.getsid(0),
        "group": os.getpgrp(),
        "cwd": os.getcwd(),
        "environ": dict(os.environ),
        "of child": subprocess.run(["env"], capture_output=True, text=True, check=True).stdout,
        "files": subprocess.run(
            ["ls", "/proc/self/fd"], capture_output=True, text=True, check=True
        ).stdout.split(),
        "input": sys.stdin.read(),
        "cpus": os.sched_getaffinity(0),
        "job": self.job.id,
    }


def test_each_job_is_a_process_of_its_own_with_all_that_is_its_own(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.run(python_job(driver, "a", {"number": 1}, environ={"WORD": "x"}))
        assert await driver.ends("a") == [0]
        (server,) = servers(tmp_path)
        driver.run(python_job(driver, "b", {"number": 2}, environ={"WORD": "x"}, cpu_affinity="depth"))
        assert await driver.ends("b") == [0]
        assert servers(tmp_path) == [server], "one interpreter serves both"
        a, b = value_of(driver, "a"), value_of(driver, "b")
        assert a["pid"] != b["pid"] and server not in (a["pid"], b["pid"]) and a["job"] == 7
        for job_id, seen in (("a", a), ("b", b)):
            assert seen["pid"] == seen["session"] == seen["group"]
            assert seen["parent"] == driver.process.pid
            assert seen["cwd"] == seen["environ"]["PWD"] == str(tmp_path / job_id)
            assert (seen["environ"]["BALSAM_JOB_ID"], seen["environ"]["WORD"]) == (job_id, "x")
            assert f"BALSAM_JOB_ID={job_id}\n" in seen["of child"]
            assert seen["files"] == ["0", "1", "2", "3"], "the last is the directory that is listed"
            assert seen["input"] == ""
        assert len(b["cpus"]) == 1
        assert driver.output("b") == "out 2\nerr 2\n"

    drive(tmp_path, play, app_of(show))


def fail(self: Any, how: str) -> str:
    import ctypes
    import os
    import signal
    import sys

    if how == "segfault":
        ctypes.string_at(0)
    elif how == "exit":
        sys.exit(3)
    elif how == "text":
        sys.exit("no more")
    elif how == "_exit":
        os._exit(7)
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "interrupt":
        raise KeyboardInterrupt
    elif how == "raise":
        raise ValueError("bad input")
    return how


ENDS = {"fine": 0, "segfault": -signal.SIGSEGV, "exit": 3, "text": 1, "_exit": 7, "kill": -signal.SIGKILL}
ENDS |= {"raise": 1, "interrupt": -signal.SIGINT}


@pytest.mark.parametrize("is_warm", [True, False])
def test_job_that_dies_dies_alone_with_its_own_code(tmp_path: Path, is_warm: bool) -> None:
    async def play(driver: Driver) -> None:
        more = {} if is_warm else {"envscript": "/dev/null"}
        for how in ENDS:
            driver.run(python_job(driver, how, {"how": how}, **more))
        assert await driver.ends(*ENDS) == list(ENDS.values())
        assert value_of(driver, "fine") == "fine"
        with pytest.raises(ValueError, match="bad input"):
            value_of(driver, "raise")
        for how in ("segfault", "_exit", "kill"):
            assert driver.outcomes[how, 1] == ("", "")
        assert "ValueError: bad input" in driver.ended["raise", 1][1]
        assert driver.output("text") == "no more\n"
        assert len(servers(tmp_path)) == is_warm
        assert not list(tmp_path.glob("*/.balsam/*")), "calls and outcomes are cleared up"

    drive(tmp_path, play, app_of(fail))


def leave(self: Any) -> None:
    import atexit
    import builtins
    import sys
    import threading
    import time

    builtins.kept = open("kept.txt", "w")  # noqa: SIM115
    builtins.kept.write("not closed")
    atexit.register(print, "at exit")
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread"))).start()
    sys.stdout.write("no line end ")


@pytest.mark.parametrize("is_warm", [True, False])
def test_job_ends_as_an_interpreter_does(tmp_path: Path, is_warm: bool) -> None:
    async def play(driver: Driver) -> None:
        driver.run(python_job(driver, "a", **({} if is_warm else {"envscript": "/dev/null"})))
        assert await driver.ends("a") == [0]
        assert driver.output("a") == "no line end thread\nat exit\n"
        assert (tmp_path / "a/kept.txt").read_text() == "not closed"
        assert len(servers(tmp_path)) == is_warm

    drive(tmp_path, play, app_of(leave))


def remember(self: Any, number: int) -> tuple[Any, ...]:
    import json
    import os
    import random

    before = list(vars(json).get("seen", []))
    json.seen = [*before, number]  # type: ignore[attr-defined]
    before_environ = os.environ.get("SEEN")
    os.environ["SEEN"] = "yes"
    os.chdir("/")
    drawn = [random.random()]
    if "numpy" in os.environ["WITH"]:
        import numpy

        drawn.append(numpy.random.random())
    return before, before_environ, tuple(drawn)


def test_nothing_of_a_job_is_left_for_the_next(tmp_path: Path) -> None:
    with_numpy = "numpy" if importlib.util.find_spec("numpy") else ""

    async def play(driver: Driver) -> None:
        for number in range(4):
            job_id = f"j{number}"
            driver.run(python_job(driver, job_id, {"number": number}, environ={"WITH": with_numpy}))
            assert await driver.ends(job_id) == [0]
        seen = [value_of(driver, f"j{number}") for number in range(4)]
        assert [(before, environ) for before, environ, _ in seen] == [([], None)] * 4
        for drawn in zip(*(numbers for _, _, numbers in seen), strict=True):
            assert len(set(drawn)) == 4, "each job draws numbers of its own"

    drive(tmp_path, play, app_of(remember))


def test_interpreter_of_another_environment_is_another(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        for level in ("0", "1"):
            driver.run(python_job(driver, f"j{level}", environ={"PYTHONOPTIMIZE": level}))
        assert await driver.ends("j0", "j1") == [0, 0]
        assert (value_of(driver, "j0"), value_of(driver, "j1")) == (0, 1)

    drive(tmp_path, play, app_of(lambda self: sys.flags.optimize))


def test_each_job_sees_its_own_gpu(tmp_path: Path) -> None:
    from balsam.platform.nodes.node import Node

    async def play(driver: Driver) -> None:
        for name in "ab":
            driver.run(python_job(driver, name, gpus_per_rank=1))
        await driver.ends("a", "b")
        assert {value_of(driver, "a"), value_of(driver, "b")} == {"0", "1"}
        assert len(servers(tmp_path)) == 1

    def mask(self: Any) -> str:
        import os
        import time

        time.sleep(0.5)
        return os.environ["CUDA_VISIBLE_DEVICES"]

    node = Node("here", tuple(range(8)), ("0", "1"))
    drive(tmp_path, play, app_of(mask), nodes=(node,))


def test_killed_job_ends_with_all_that_it_has_started(tmp_path: Path) -> None:
    def start_others(self: Any) -> None:
        import signal
        import subprocess
        import time
        from pathlib import Path

        signal.signal(signal.SIGTERM, lambda *_: Path("told").touch())
        other = subprocess.Popen(["setsid", "sleep", "600"])
        Path("pid").write_text(str(other.pid))
        while True:
            time.sleep(0.1)

    async def play(driver: Driver) -> None:
        pid = tmp_path / "a/pid"
        driver.run(python_job(driver, "a"))
        await driver.until(lambda: pid.exists() and pid.read_text())
        driver.tell("kill", job_ids=["a"])
        assert await driver.ends("a") == [-signal.SIGKILL]
        assert (tmp_path / "a/told").exists()
        await driver.until(lambda: is_gone(int(pid.read_text())))
        assert len(servers(tmp_path)) == 1, "the interpreter stays"

    drive(tmp_path, play, app_of(start_others), grace_sec=1.0)


def test_killed_interpreter_harms_no_job(tmp_path: Path) -> None:
    def wait(self: Any, number: int) -> int:
        import time
        from pathlib import Path

        Path("started").touch()
        while not Path("../go").exists():
            time.sleep(0.02)
        return number

    async def play(driver: Driver) -> None:
        driver.run(*(python_job(driver, f"j{n}", {"number": n}) for n in range(4)))
        await driver.until(lambda: len(list(tmp_path.glob("*/started"))) == 4)
        (server,) = [pid for pid in servers(tmp_path) if os.readlink(f"/proc/{pid}/cwd") == "/"]
        os.kill(server, signal.SIGKILL)
        driver.run(*(python_job(driver, f"k{n}", {"number": n}) for n in range(4)))
        await driver.until(lambda: len(list(tmp_path.glob("*/started"))) == 8)
        (tmp_path / "go").touch()
        names = [f"{letter}{n}" for letter in "jk" for n in range(4)]
        assert await driver.ends(*names) == [0] * 8
        assert [value_of(driver, name) for name in names] == [0, 1, 2, 3] * 2

    drive(tmp_path, play, app_of(wait))


def test_stopped_interpreter_is_given_up_and_its_job_runs_once(tmp_path: Path) -> None:
    def note(self: Any) -> None:
        with open("../log", "a") as log:
            log.write(f"{self.job.id}\n")

    async def play(driver: Driver) -> None:
        driver.run(python_job(driver, "a"))
        assert await driver.ends("a") == [0]
        (server,) = servers(tmp_path)
        os.kill(server, signal.SIGSTOP)
        driver.run(python_job(driver, "b"))
        assert await driver.ends("b") == [0]
        await driver.until(lambda: is_gone(server))
        assert (tmp_path / "log").read_text() == "7\n7\n"

    drive(tmp_path, play, app_of(note))


def test_new_version_is_run_as_soon_as_it_is_told(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        for version in (1, 2):
            teach(driver, app_of(eval(f"lambda self: {version}"), version=version))
            driver.run(python_job(driver, f"v{version}"))
            assert await driver.ends(f"v{version}") == [0]
            assert value_of(driver, f"v{version}") == version
        await driver.until(lambda: len(servers(tmp_path)) == 1)

    drive(tmp_path, play)


def test_edited_file_is_read_again_and_so_is_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    app, helper = tmp_path / "apps/tools.py", tmp_path / "helper_of_tools.py"
    text = (
        "from balsam.site import ApplicationDefinition\nimport os, helper_of_tools\n"
        "JOB = os.environ['BALSAM_JOB_ID']\n"
        "class Made(ApplicationDefinition):\n    def run(self):\n        return JOB, %d, helper_of_tools.N\n"
    )
    code = AppCode(
        app_id=1, version=1, name="Made", site_id=1, class_path="tools.Made", apps_dir=str(tmp_path / "apps")
    )
    edits = [(app, text % 1), (helper, "N = 10"), (app, text % 2), (helper, "N = 2000")]
    seen = [("j1", 1, 10), ("j2", 2, 10), ("j3", 2, 2000)]

    async def play(driver: Driver) -> None:
        for number, (file, content) in enumerate(edits):
            file.write_text(content)
            if number:
                driver.run(python_job(driver, f"j{number}", environ={"PYTHONPATH": str(tmp_path)}))
                assert await driver.ends(f"j{number}") == [0], driver.output(f"j{number}")
        assert [value_of(driver, f"j{number}") for number in (1, 2, 3)] == seen
        assert driver.notes == [f"Made is read again: {helper} has changed"]

    drive(tmp_path, play, code)


def test_application_that_starts_threads_gets_fresh_interpreters_and_that_is_noted_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "threads_of_its_own.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    )
    code = AppCode(
        app_id=1, version=1, name="Made", site_id=1, class_path="tools.Made", apps_dir=str(tmp_path)
    )
    (tmp_path / "tools.py").write_text(
        "from balsam.site import ApplicationDefinition\nimport threads_of_its_own, threading\n"
        "class Made(ApplicationDefinition):\n    def run(self):\n        return threading.active_count()\n"
    )

    async def play(driver: Driver) -> None:
        environ = {"PYTHONPATH": str(tmp_path)}
        driver.run(*(python_job(driver, f"j{n}", environ=environ) for n in range(3)))
        assert await driver.ends("j0", "j1", "j2") == [0, 0, 0]
        assert [value_of(driver, f"j{n}") for n in range(3)] == [2, 2, 2]
        (note,) = driver.notes
        assert "Each job of Made has an interpreter of its own" in note and "1 threads" in note

    drive(tmp_path, play, code)


def test_interpreter_that_dies_of_its_imports_is_replaced_by_fresh_ones(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(
        "from balsam.site import ApplicationDefinition\nimport os\n"
        "if 'BALSAM_JOB_ID' not in os.environ:\n    os._exit(9)\n"
        "class Made(ApplicationDefinition):\n    def run(self):\n        return 'ran'\n"
    )
    code = AppCode(
        app_id=1, version=1, name="Made", site_id=1, class_path="tools.Made", apps_dir=str(tmp_path)
    )

    async def play(driver: Driver) -> None:
        driver.run(python_job(driver, "a"))
        assert await driver.ends("a") == [0]
        assert value_of(driver, "a") == "ran" and "dies of its imports" in driver.notes[0]

    drive(tmp_path, play, code)


@pytest.mark.parametrize("is_warm", [True, False])
def test_class_that_cannot_be_read_fails_its_jobs_with_the_reason(tmp_path: Path, is_warm: bool) -> None:
    code = AppCode(
        app_id=1, version=1, name="Made", site_id=1, class_path="nothing.Made", apps_dir=str(tmp_path)
    )

    async def play(driver: Driver) -> None:
        driver.run(python_job(driver, "a", **({} if is_warm else {"envscript": "/dev/null"})))
        assert await driver.ends("a") == [1]
        with pytest.raises(Exception, match=r"nothing\.py"):
            value_of(driver, "a")
        assert "nothing.py" in driver.ended["a", 1][1]

    drive(tmp_path, play, code)


def test_python_without_balsam_is_a_clear_error(tmp_path: Path) -> None:
    bare = getattr(sys, "_base_executable", sys.executable)
    if subprocess.run([bare, "-P", "-c", "import balsam"], capture_output=True).returncode == 0:
        pytest.skip(f"{bare} has Balsam")

    async def play(driver: Driver) -> None:
        driver.run(python_job(driver, "a", python=bare), python_job(driver, "b", python="/no/python"))
        assert await driver.ends("a", "b") == [None, None]
        assert "No module named 'balsam'" in driver.ended["a", 1][1] and bare in driver.ended["a", 1][1]
        assert "python_exe" in driver.ended["a", 1][1]
        assert "/no/python" in driver.ended["b", 1][1]

    drive(tmp_path, play, app_of(lambda self: None))


def test_results_and_exceptions_that_cannot_be_sent_are_clear_errors(tmp_path: Path) -> None:
    def run(self: Any, how: str) -> Any:
        import random
        import threading

        if how == "raise":
            error = ValueError("with a lock")
            error.lock = threading.Lock()  # type: ignore[attr-defined]
            raise error
        print('{"value": "spoofed", "exception": ""}')
        return {"lock": threading.Lock(), "large": random.randbytes(600_000), "fits": b"\0" * 600_000}[how]

    async def play(driver: Driver) -> None:
        hows = ("lock", "large", "fits", "raise")
        driver.run(*(python_job(driver, how, {"how": how}) for how in hows))
        assert await driver.ends(*hows) == [1, 1, 0, 1]
        assert value_of(driver, "fits") == b"\0" * 600_000
        with pytest.raises(UsageError, match="cannot be serialized"):
            value_of(driver, "lock")
        with pytest.raises(UsageError, match="512000 fit"):
            value_of(driver, "large")
        with pytest.raises(Exception, match="with a lock"):
            value_of(driver, "raise")

    drive(tmp_path, play, app_of(run))


def test_file_in_place_of_an_outcome_is_none(tmp_path: Path) -> None:
    def run(self: Any) -> None:
        import os
        from pathlib import Path

        for file in Path("/proc/self/fd").iterdir():
            if file.exists() and "memfd" in os.readlink(file):
                file.write_bytes(b'{"value": "\\u0000", "exception": 3}')
        os._exit(0)

    async def play(driver: Driver) -> None:
        driver.run(python_job(driver, "a"))
        assert await driver.ends("a") == [0]
        assert driver.outcomes["a", 1] == ("", "")

    drive(tmp_path, play, app_of(run))


def test_jobs_that_wait_for_an_interpreter_can_be_taken_back(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(
        "from balsam.site import ApplicationDefinition\nimport time, pathlib\n"
        f"while not pathlib.Path({str(tmp_path / 'go')!r}).exists():\n    time.sleep(0.02)\n"
        "class Made(ApplicationDefinition):\n    def run(self):\n        return 1\n"
    )
    code = AppCode(
        app_id=1, version=1, name="Made", site_id=1, class_path="tools.Made", apps_dir=str(tmp_path)
    )

    async def play(driver: Driver) -> None:
        driver.run(*(python_job(driver, f"j{n}") for n in range(3)))
        await driver.until(lambda: servers(tmp_path))
        driver.tell("kill", job_ids=["j0"])
        await driver.until(lambda: ("j0", 1) in driver.returned)
        driver.tell("give_back")
        await driver.until(lambda: len(driver.returned) == 3)
        driver.run(python_job(driver, "last"))
        (tmp_path / "go").touch()
        assert await driver.ends("last") == [0]
        assert not {"j0", "j1", "j2"} & {job_id for job_id, _ in driver.started}

    drive(tmp_path, play, code)


def test_output_of_an_earlier_attempt_is_kept(tmp_path: Path) -> None:
    def run(self: Any) -> None:
        print("ran")

    async def play(driver: Driver) -> None:
        for attempt in (1, 2):
            driver.run(python_job(driver, "a", attempt=attempt))
            assert await driver.ends("a", attempt=attempt) == [0]
        assert (tmp_path / "a/a.out.1").read_text() == driver.output("a") == "ran\n"

    drive(tmp_path, play, app_of(run))


def test_more_applications_than_interpreters_take_turns(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        ids = range(1, MAX_SERVERS + 4)
        for app_id in ids:
            teach(driver, app_of(eval(f"lambda self: {app_id}"), app_id=app_id))
        names = {f"j{app_id}.{n}": app_id for n in range(2) for app_id in ids}
        driver.run(
            *(
                python_job(driver, name, app_id=app_id, node_packing_count=64)
                for name, app_id in names.items()
            )
        )
        await driver.until(lambda: len(driver.ended) == len(names), timeout_sec=120)
        assert {name: value_of(driver, name) for name in names} == names
        assert len(servers(tmp_path)) <= MAX_SERVERS and not driver.notes

    drive(tmp_path, play)

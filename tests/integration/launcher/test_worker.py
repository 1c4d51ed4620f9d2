"""The worker process with a head over the real channel."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from balsam.launcher.worker_setup import WorkerSetup
from balsam.platform.nodes.node import Node
from tests.waiting import wait_until
from tests.worker_driver import IDENTITY, Driver, is_gone, worker


def drive(tmp_path: Path, play: Callable[[Driver], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        async with worker(tmp_path, **options) as driver:
            await play(driver)

    asyncio.run(run())


def test_a_job_starts_and_ends_with_its_code_and_the_end_of_its_output(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        assert driver.ready["type"] == "ready" and driver.ready["cpus"] == os.cpu_count()
        driver.sh("good", "echo fine")
        driver.sh("bad", "seq 100; exit 3")
        driver.sh("hit", "kill -SEGV $$")
        assert await driver.ends("good", "bad", "hit") == [0, 3, -signal.SIGSEGV]
        assert driver.ended["good", 1][1] == ""
        assert driver.ended["bad", 1][1] == "\n".join(str(number) for number in range(1, 101))
        assert driver.output("good") == "fine\n"
        assert driver.last["queued"] == driver.last["running"] == 0 and driver.last["starved"]

    drive(tmp_path, play)


def test_jobs_inherit_the_environment_and_the_marks_but_no_file_and_no_secret(tmp_path: Path) -> None:
    code = "import json, os, sys; print(json.dumps([dict(os.environ), os.listdir('/proc/self/fd')]))"

    async def play(driver: Driver) -> None:
        script = tmp_path / "show.py"
        script.write_text(f"#!{sys.executable}\n{code}\n")
        script.chmod(0o755)
        driver.run(driver.spec("show", str(script), environ={"HOME": "/elsewhere", "BALSAM_JOB_ID": "show"}))
        assert await driver.ends("show") == [0]
        environ, files = json.loads(driver.output("show"))
        assert len(files) == 4, "0, 1, 2 and the directory that is listed"
        assert environ["PATH"] == os.environ["PATH"] and environ["HOME"] == "/elsewhere"
        assert environ["BALSAM_SESSION"] == "test-database:42"
        assert environ["BALSAM_WORKER"] == "test-database:42.3"
        assert environ["BALSAM_JOB_MODE"] == "serial"
        cmdline = Path(f"/proc/{driver.process.pid}/cmdline").read_bytes()
        assert IDENTITY.secret not in f"{environ}{cmdline!r}"

    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    drive(tmp_path, play, worker_id=3, environ={"BALSAM_JOB_MODE": "serial"}, pass_fds=(writer,))
    os.close(reader)
    os.close(writer)


def test_no_more_jobs_run_at_once_than_fit(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        log = tmp_path / "log"
        for number in range(12):
            driver.sh(f"j{number}", f"echo + >> {log}; sleep 0.02; echo - >> {log}", node_packing_count=3)
        await driver.ends(*(f"j{number}" for number in range(12)))
        running = most = 0
        for sign in log.read_text().split():
            running += 1 if sign == "+" else -1
            most = max(most, running)
        assert 1 < most <= 3 and running == 0

    drive(tmp_path, play)


def test_bad_jobs_fail_alone_with_their_reason(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        (tmp_path / "file").write_text("")
        bad = {
            "problem": ({"problem": "No application 'x' is defined."}, "No application 'x'"),
            "program": ({"command": "/no/such/program"}, "no such file"),
            "quote": ({"command": "echo 'x"}, "No closing quotation|no closing quotation"),
            "empty": ({"command": ""}, "no command"),
            "workdir": ({"workdir": f"{tmp_path}/file/x"}, "not a directory"),
            "bytes": ({"command": "echo a\0b"}, "NUL"),
            "cores": ({"threads_per_core": 0}, "make no sense"),
        }
        for job_id, (change, _) in bad.items():
            driver.run(driver.spec(job_id, **{"command": "true", **change}))
        driver.sh("good", "exit 0")
        assert await driver.ends(*bad, "good") == [None] * len(bad) + [0]
        for job_id, (_, reason) in bad.items():
            assert re.search(reason, driver.ended[job_id, 1][1]), driver.ended[job_id, 1]
        assert list(driver.started) == [("good", 1)]

    drive(tmp_path, play)


def test_a_job_that_can_never_fit_goes_back_with_the_reason(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.run(driver.spec("wide", "true", num_nodes=2, node_packing_count=1))
        driver.run(driver.spec("gpu", "true", gpus_per_rank=1.0))
        await driver.until(lambda: len(driver.returned) == 2)
        assert all(driver.returned.values())

    drive(tmp_path, play)


def test_killing_ends_running_jobs_and_returns_queued_ones(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        busy = driver.script("busy", "sleep 600 & echo $!; wait")
        driver.run(
            driver.spec("busy", busy, node_packing_count=1),
            driver.spec("waits", "true", node_packing_count=1),
        )
        await driver.until(lambda: driver.output("busy"))
        driver.tell("kill", job_ids=["busy", "waits", "unknown"])
        assert await driver.ends("busy") == [-signal.SIGTERM]
        assert driver.returned == {("waits", 1): ""}
        assert is_gone(int(driver.output("busy")))

    drive(tmp_path, play)


def test_giving_back_returns_what_has_not_started(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        (tmp_path / "busy").mkdir()
        os.mkfifo(tmp_path / "busy" / "fifo")
        driver.sh("busy", "read < fifo", node_packing_count=1)
        await driver.until(lambda: driver.started)
        driver.run(*(driver.spec(f"q{number}", "true", node_packing_count=1) for number in range(50)))
        driver.tell("give_back")
        await driver.until(lambda: len(driver.returned) == 50)
        assert set(driver.returned.values()) == {""} and ("busy", 1) not in driver.ended
        (tmp_path / "busy" / "fifo").write_text("go\n")
        assert await driver.ends("busy") == [0]

    drive(tmp_path, play)


def test_stopping_returns_the_queue_ends_what_runs_and_leaves(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        saving = "until [ -e may_end ]; do sleep 0.01; done; echo saved; exit 0"
        driver.sh("polite", f"trap '{saving}' TERM; echo up; sleep 600 & wait")
        driver.sh("plain", "echo up; exec sleep 600")
        driver.sh("waits", "exit 0", num_nodes=1, node_packing_count=1)
        await driver.until(lambda: driver.output("polite") and driver.output("plain"))
        driver.tell("stop", grace_sec=20)
        driver.sh("late", "exit 0")
        await driver.until(lambda: ("late", 1) in driver.returned)
        (tmp_path / "polite" / "may_end").touch()
        assert await driver.ends("polite", "plain") == [0, -signal.SIGTERM]
        assert driver.output("polite") == "up\nsaved\n"
        await driver.until(lambda: driver.said_bye)
        assert driver.returned == {("waits", 1): "", ("late", 1): ""}
        assert await driver.leaves() == 0

    drive(tmp_path, play)


def test_a_second_stop_can_hasten_the_first(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.sh("deaf", "trap '' TERM; echo up; while :; do sleep 0.01; done")
        await driver.until(lambda: driver.output("deaf"))
        driver.tell("stop", grace_sec=1000)
        driver.tell("stop", grace_sec=0)
        assert await driver.ends("deaf") == [-signal.SIGKILL]
        assert await driver.leaves() == 0

    drive(tmp_path, play)


def test_an_idle_worker_leaves_at_once_when_told(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.tell("stop", grace_sec=1000)
        assert await driver.leaves() == 0

    drive(tmp_path, play)


def test_nothing_survives_the_death_of_the_head(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.sh("deaf", "trap '' TERM; echo $$; while :; do sleep 0.01; done")
        driver.sh("waits", "echo it ran", node_packing_count=1)
        await driver.until(lambda: driver.output("deaf"))
        driver.link.close()
        assert await driver.leaves() == 1
        assert is_gone(int(driver.output("deaf")))
        assert driver.output("waits") == ""

    drive(tmp_path, play, grace_sec=0.1)


def test_a_head_that_talks_nonsense_is_treated_as_gone(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.sh("busy", "echo $$; exec sleep 600")
        await driver.until(lambda: driver.output("busy"))
        driver.tell("dance")
        assert await driver.leaves() == 1
        assert is_gone(int(driver.output("busy")))

    drive(tmp_path, play)


def test_a_worker_that_fails_itself_takes_its_jobs_along(tmp_path: Path) -> None:
    code = """if True:
        from balsam.launcher import worker

        class Failing(worker.Worker):
            def _obey(self, message):
                if message["type"] == "fail":
                    raise MemoryError
                super()._obey(message)

        worker.Worker = Failing
        worker.main()
    """

    async def play(driver: Driver) -> None:
        driver.sh("deaf", "trap '' TERM; echo $$; while :; do sleep 0.01; done")
        await driver.until(lambda: driver.output("deaf"))
        driver.tell("fail")
        assert await driver.leaves() == 1
        assert is_gone(int(driver.output("deaf")))

    drive(tmp_path, play, program=("-c", code))


def test_sigterm_stops_a_worker_and_signals_of_the_terminal_do_not(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            driver.process.send_signal(number)
        driver.sh("busy", "echo up; exec sleep 600")
        await driver.until(lambda: driver.output("busy"))
        driver.process.send_signal(signal.SIGTERM)
        assert await driver.ends("busy") == [-signal.SIGTERM]
        await driver.until(lambda: driver.said_bye)
        assert await driver.leaves() == 0

    drive(tmp_path, play)


def test_a_daemon_that_a_job_left_behind_ends_with_the_worker(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.sh("job", "(setsid bash -c 'echo $$; setsid sleep 600 & exec sleep 600' &)\nsleep 0.1")
        assert await driver.ends("job") == [0]
        daemon = int(driver.output("job"))
        assert not is_gone(daemon)
        driver.tell("stop", grace_sec=1)
        assert await driver.leaves() == 0
        assert is_gone(daemon)

    drive(tmp_path, play)


def test_a_server_that_a_job_has_started_apart_outlives_the_worker(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.sh("job", "(env -i /usr/bin/setsid /bin/sh -c 'echo $$; exec /bin/sleep 600' &)\nsleep 0.1")
        assert await driver.ends("job") == [0]
        server = int(driver.output("job"))
        driver.tell("stop", grace_sec=1)
        assert await driver.leaves() == 0
        assert not is_gone(server)
        os.kill(server, signal.SIGKILL)

    drive(tmp_path, play)


def test_what_a_job_leaves_in_its_session_is_killed_when_it_ends(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.sh("job", "set -m; sleep 600 & echo $!; exit 0")
        assert await driver.ends("job") == [0]
        child = int(driver.output("job"))
        await driver.until(lambda: is_gone(child))

    drive(tmp_path, play)


def test_a_new_attempt_waits_for_the_end_of_the_one_before(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        script = "trap 'sleep 0.1; echo first ends; exit 1' TERM; echo first; sleep 600 & wait"
        driver.sh("job", script)
        await driver.until(lambda: driver.output("job"))
        driver.tell("kill", job_ids=["job"])
        driver.sh("job", "echo second", attempt=2)
        assert await driver.ends("job", attempt=2) == [0]
        assert list(driver.ended) == [("job", 1), ("job", 2)]
        assert driver.output("job") == "second\n"
        assert (tmp_path / "job" / "job.out.1").read_text() == "first\nfirst ends\n"

    drive(tmp_path, play)


def test_a_job_that_cannot_end_in_the_time_left_goes_back(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        driver.tell("time_left", sec=90)
        driver.run(driver.spec("long", "true", wall_time_min=2), driver.spec("short", "true"))
        assert await driver.ends("short") == [0]
        await driver.until(lambda: driver.returned)
        assert driver.returned["long", 1]
        assert ("long", 1) not in driver.started

    drive(tmp_path, play)


def test_jobs_go_on_while_the_head_does_not_listen(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        count = 400
        log = tmp_path / "log"
        text = "\u00e9" * 2000
        for number in range(count):
            driver.sh(f"j{number}", f"echo '{text}'; echo x >> {log}; exit 1")
        await driver.link.drain()
        await asyncio.to_thread(wait_until, lambda: log.exists() and log.read_text().count("x") == count, 60)
        assert set(await driver.ends(*(f"j{number}" for number in range(count)))) == {1}

    drive(tmp_path, play)


def test_gpus_are_shown_to_their_job_alone(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        for number in range(2):
            (tmp_path / f"j{number}").mkdir()
            os.mkfifo(tmp_path / f"j{number}" / "fifo")
            driver.sh(f"j{number}", "echo $CUDA_VISIBLE_DEVICES; read < fifo", gpus_per_rank=1.0)
        await driver.until(lambda: driver.output("j0") and driver.output("j1"))
        assert {driver.output("j0"), driver.output("j1")} == {"5\n", "7\n"}
        for number in range(2):
            (tmp_path / f"j{number}" / "fifo").write_text("go\n")
        await driver.ends("j0", "j1")

    drive(tmp_path, play, nodes=(Node("here", tuple(range(8)), ("5", "7")),))


def test_a_job_is_bound_to_its_cpus_where_it_asks_for_that(tmp_path: Path) -> None:
    async def play(driver: Driver) -> None:
        show = f"{sys.executable} -c 'import os; print(sorted(os.sched_getaffinity(0)))'"
        driver.run(driver.spec("free", show), driver.spec("bound", show, cpu_affinity="depth"))
        assert await driver.ends("free", "bound") == [0, 0]
        assert driver.output("free") == f"{cpus}\n"
        assert driver.output("bound") == f"[{cpus[-1]}]\n"

    cpus = sorted(os.sched_getaffinity(0))
    drive(tmp_path, play, nodes=(Node("here", (cpus[-1],)),))


def test_a_worker_without_a_proper_setup_or_head_says_so_and_fails() -> None:
    async def run(line: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "balsam.launcher.worker",
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate(line.encode())
        return process.returncode, errors.decode()

    code, text = asyncio.run(run("hello\n"))
    assert code == 1 and "started by `balsam launcher`" in text and "Traceback" not in text
    setup = WorkerSetup(
        address=("127.0.0.1", 1),
        secret=IDENTITY.secret,
        instance_id="x",
        session_id=1,
        mode="serial",
        nodes=(Node("here", (0,)),),
    )
    code, text = asyncio.run(run(setup.to_line()))
    assert code == 1 and "127.0.0.1 port 1" in text and "Traceback" not in text
    assert IDENTITY.secret not in text


def test_the_worker_loads_neither_django_nor_asyncio() -> None:
    async def modules() -> set[str]:
        code = "import balsam.launcher.worker, sys; print(*sys.modules)"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        return set(output.decode().split())

    heavy = {"django", "asyncio", "psutil", "psycopg2", "subprocess", "logging", "importlib.metadata"}
    assert not heavy & asyncio.run(modules())

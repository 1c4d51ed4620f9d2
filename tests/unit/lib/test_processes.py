import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from balsam.lib import processes
from balsam.lib.processes import is_alive, kill_group, orphans_of, this_process
from tests.waiting import wait_until

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start sleeping processes in groups of their own, which do not outlive the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(*command: str, **environ: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            command or ("sleep", "100"), env={**os.environ, **environ}, start_new_session=True
        )
        started.append(child)
        return child

    yield start_one
    for child in started:
        kill_group(child.pid, signal.SIGKILL)
        child.wait()


@pytest.fixture
def no_proc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Behave as on a system without /proc."""
    monkeypatch.setattr(processes, "_BOOT_ID", Path("/nonexistent"))
    processes._this_boot.cache_clear()
    yield
    processes._this_boot.cache_clear()


def is_zombie(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_this_process_is_alive() -> None:
    me = this_process()
    assert me.pid == os.getpid()
    assert me.host == socket.gethostname()
    assert is_alive(me) is True


def test_identity_is_the_same_at_every_reading_and_in_other_processes() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(is_alive, (this_process(),)) is True
    assert this_process() == this_process()


def test_other_start_time_means_the_pid_was_reused() -> None:
    me = this_process()
    assert is_alive(replace(me, start_time=me.start_time - 60)) is False


def test_process_of_an_earlier_boot_is_dead() -> None:
    assert is_alive(replace(this_process(), boot_id="an earlier one")) is False


def test_process_of_another_host_is_unknown() -> None:
    assert is_alive(replace(this_process(), host="elsewhere.example")) is None


def test_process_of_another_container_with_this_host_name_is_unknown() -> None:
    me = this_process()
    boot = me.boot_id.split("/")[0]
    assert is_alive(replace(me, boot_id=f"{boot}/pid:[1]")) is None


@pytest.mark.parametrize("pid", [0, -1, 2**30])
def test_impossible_pid_is_dead(pid: int) -> None:
    assert is_alive(replace(this_process(), pid=pid)) is False


def test_ended_process_is_dead_also_as_a_zombie(start: Start) -> None:
    child = start()
    start_time = processes._start_time(child.pid)
    assert start_time is not None
    identity = replace(this_process(), pid=child.pid, start_time=start_time)
    assert is_alive(identity) is True
    child.kill()
    wait_until(lambda: is_zombie(child.pid))
    assert is_alive(identity) is False
    child.wait()
    assert is_alive(identity) is False


def test_stopped_process_is_alive(start: Start) -> None:
    child = start()
    start_time = processes._start_time(child.pid)
    assert start_time is not None
    child.send_signal(signal.SIGSTOP)
    wait_until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED)
    assert is_alive(replace(this_process(), pid=child.pid, start_time=start_time)) is True


def test_name_with_blanks_and_parentheses_does_not_confuse(start: Start, tmp_path: Path) -> None:
    odd = tmp_path / "a) R 1 (b"
    odd.symlink_to("/bin/sleep")
    child = start(str(odd), "100")
    start_time = processes._start_time(child.pid)
    assert start_time == pytest.approx(this_process().start_time, abs=3600)


@pytest.mark.skipif(sys.platform != "linux", reason="hidepid is an option of Linux's /proc")
def test_process_hidden_by_proc_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    me = this_process()

    def hidden(path: Path) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_bytes", hidden)
    assert is_alive(me) is None


@pytest.mark.usefixtures("no_proc")
def test_identity_works_without_proc(start: Start) -> None:
    me = this_process()
    assert me.boot_id
    assert is_alive(me) is True
    child = start("true")
    wait_until(lambda: is_zombie(child.pid))
    assert is_alive(replace(me, pid=child.pid)) is False
    child.wait()
    assert is_alive(replace(me, pid=child.pid)) is False


def test_group_is_killed_with_its_grandchildren(start: Start) -> None:
    child = start("sh", "-c", "sleep 100 & sleep 100 & wait")
    wait_until(lambda: len(psutil.Process(child.pid).children()) == 2)
    family = [child.pid, *(grandchild.pid for grandchild in psutil.Process(child.pid).children())]
    assert kill_group(child.pid, signal.SIGKILL) is True
    child.wait()
    wait_until(lambda: not any(psutil.pid_exists(pid) and not is_zombie(pid) for pid in family))


def test_killing_a_group_that_is_gone_is_no_error(start: Start) -> None:
    child = start("true")
    child.wait()
    assert kill_group(child.pid, signal.SIGTERM) is False


@pytest.mark.parametrize("pgid", [-5, 0, 1, os.getpgrp()])
def test_group_that_is_not_a_jobs_is_never_signalled(pgid: int) -> None:
    with pytest.raises(ValueError, match="not one of a job"):
        kill_group(pgid, 0)


def test_orphans_are_found_by_their_environment(start: Start) -> None:
    marker = f"BALSAM_TEST_{os.getpid()}"
    ours = [start(**{marker: "17"}), start("sh", "-c", "sleep 100; true", **{marker: "17"})]
    start(**{marker: "170"})
    start(**{f"X{marker}": "17"})
    wait_until(lambda: len(psutil.Process(ours[1].pid).children()) == 1)
    grandchild = psutil.Process(ours[1].pid).children()[0].pid
    assert orphans_of(marker, "17") == sorted([ours[0].pid, ours[1].pid, grandchild])
    assert orphans_of(marker, "18") == []


def test_asking_process_is_no_orphan() -> None:
    code = (
        "import os; from balsam.lib.processes import orphans_of; print(orphans_of('BALSAM_TEST_ASKER', '1'))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "BALSAM_TEST_ASKER": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert answer.stdout.strip() == "[]"

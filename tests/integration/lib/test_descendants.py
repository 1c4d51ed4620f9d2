"""Finding what a process has started, with real processes."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from balsam.lib.descendants import Children, has_variable, relatives, signal_relative
from tests.waiting import wait_until


@pytest.fixture
def leader() -> Iterator["subprocess.Popen[str]"]:
    """A shell with a child in its group, one in its own session, and one of that; it prints their pids."""
    text = "sleep 600 & echo $!; setsid sh -c 'sleep 600 & echo $!; echo $$; wait' & wait"
    process = subprocess.Popen(["sh", "-c", text], stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    with process.stdout:
        yield process
        for relative in relatives([process.pid])[process.pid]:
            signal_relative(relative, signal.SIGKILL)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_pids(process: "subprocess.Popen[str]", count: int) -> list[int]:
    assert process.stdout is not None
    return [int(process.stdout.readline()) for _ in range(count)]


def test_relatives_are_what_descends_and_has_left_the_group(leader: "subprocess.Popen[str]") -> None:
    pids = read_pids(leader, 3)
    found = relatives([leader.pid, 999_999_999])
    outside = [pid for pid in pids if os.getpgid(pid) != leader.pid]
    assert len(outside) == 2
    assert sorted(relative.pid for relative in found[leader.pid]) == sorted(outside)
    assert found[999_999_999] == set()


def test_a_process_is_signalled_only_while_it_is_the_one_that_was_found(
    leader: "subprocess.Popen[str]",
) -> None:
    read_pids(leader, 3)
    found = relatives([leader.pid])[leader.pid]
    [relative] = [one for one in found if Path(f"/proc/{one.pid}/comm").read_text() == "sleep\n"]
    assert not signal_relative(replace(relative, started=relative.started + 1), signal.SIGKILL)
    assert signal_relative(relative, 0)
    assert signal_relative(relative, signal.SIGKILL)
    wait_until(lambda: not signal_relative(relative, 0))


def test_children_are_listed_until_they_are_reaped() -> None:
    children = Children()
    process = subprocess.Popen(["sleep", "600"])
    assert process.pid in children.pids()
    process.kill()
    process.wait()
    assert process.pid not in children.pids()
    children.close()
    assert children.pids() == []


def test_variables_are_those_that_a_process_was_started_with() -> None:
    with subprocess.Popen(["sleep", "600"], env={"MARK": "a b", "OTHER": "MARK=c"}) as process:
        try:
            wait_until(lambda: has_variable(process.pid, "MARK=a b"))  # shown a moment after exec
            assert not has_variable(process.pid, "MARK=a") and not has_variable(process.pid, "MARK=c")
        finally:
            process.kill()
    assert not has_variable(process.pid, "MARK=a b")

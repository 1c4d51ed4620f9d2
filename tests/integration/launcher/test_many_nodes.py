"""Launchers on several nodes, which are this host under names that only a stand-in for ssh understands."""

import asyncio
import contextlib
import os
import signal
import socket
from collections import Counter
from pathlib import Path

import psutil
import pytest

from balsam.client import Client
from balsam.core.models import BalsamJob
from balsam.exceptions import WorkerError
from balsam.launcher import crew, hiring
from balsam.launcher.head import Head
from balsam.launcher.options import LauncherOptions
from balsam.launcher.tally import Tally
from balsam.platform.mpirun import detect
from balsam.platform.nodes import Node
from tests.jobs import add_app, add_job, add_jobs
from tests.launching import lines, script
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")

#: Drops options and host, and runs the command here; nobody answers where the host's name begins with "dead".
SSH = """#!/bin/bash
while [[ $1 == -* ]]; do [[ $1 == -o ]] && shift; shift; done
export FAKE_HOST=$1; shift
[[ $FAKE_HOST != dead* ]] || exit 255
exec bash -c "$*"
"""


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in, which is also the `ssh` on PATH."""
    (tmp_path / "bin").mkdir()
    path = script(tmp_path / "bin", "ssh", SSH)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(crew, "_FIRST_PAUSE_SEC", 0.01)
    return path


def run_head(db: Path, names: list[str], **options: object) -> Tally:
    nodes = [Node(name, (0, 1)) for name in names]
    head = Head(LauncherOptions(mode="serial", **options), nodes, db / "log", Client())

    async def run() -> Tally:
        async with asyncio.timeout(60):
            return await head.run()

    return asyncio.run(run())


def add_tracing_app(directory: Path, text: str = "") -> Path:
    """Define an application that notes on which node it runs; gives the file."""
    trace = directory / "trace"
    program = script(directory, "note.sh", f"#!/bin/sh\necho ${{FAKE_HOST:-here}} >> {trace}\n{text}\n")
    add_app("note", str(program))
    return trace


def test_jobs_run_on_all_nodes(db: Path, tmp_path: Path, ssh: Path) -> None:
    trace = add_tracing_app(tmp_path, "sleep 0.1")
    add_jobs(40, application="note", node_packing_count=2)
    tally = run_head(db, [socket.gethostname(), "far1", "far2"])
    assert (tally.finished, tally.failed, tally.given_up) == (40, 0, [])
    counts = Counter(lines(trace))
    assert sum(counts.values()) == 40 and set(counts) == {"here", "far1", "far2"}


def test_worker_that_an_mpi_launcher_started_tells_its_jobs_of_no_rank(
    db: Path, tmp_path: Path, ssh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYDRA_LAUNCHER", "ssh")
    monkeypatch.setenv("HYDRA_LAUNCHER_EXEC", str(ssh))
    trace = add_tracing_app(tmp_path, f"env > {tmp_path}/env")
    add_job(application="note")
    tally = run_head(db, ["far1"], worker_launcher=detect("MPICHCommand"))
    assert (tally.finished, lines(trace)) == (1, ["far1"])
    assert not [line for line in lines(tmp_path / "env") if line.startswith("PMI")]


def test_launcher_goes_on_without_a_node_that_cannot_be_reached(db: Path, tmp_path: Path, ssh: Path) -> None:
    go = tmp_path / "go"
    trace = add_tracing_app(tmp_path, f"while [ ! -e {go} ]; do sleep 0.02; done")
    add_jobs(4, application="note")

    nodes = [Node(name, (0, 1)) for name in ("far1", "dead1")]
    head = Head(LauncherOptions(mode="serial"), nodes, db / "log", Client())

    async def run() -> None:
        async with asyncio.timeout(60):
            running = asyncio.create_task(head.run())
            while not head.tally.given_up:
                await asyncio.sleep(0.01)
            assert "without dead1" in head.tally.line()
            go.touch()
            await running

    asyncio.run(run())
    assert head.tally.finished == 4 and set(lines(trace)) == {"far1"}
    assert any("dead1" in line for line in head.tally.closing_lines())


def test_launcher_ends_with_an_error_when_no_node_is_left(db: Path, ssh: Path) -> None:
    add_job()
    with pytest.raises(WorkerError, match=r"ended with code 255.*No other node is left"):
        run_head(db, ["dead1", "dead2"])
    assert BalsamJob.objects.get().state == "PREPROCESSED"


def test_jobs_of_a_worker_that_was_killed_are_ended_there_and_run_again(
    db: Path, tmp_path: Path, ssh: Path
) -> None:
    pids = tmp_path / "pids"
    hold = script(
        tmp_path, "hold.sh", f"#!/bin/sh\necho $$ $PPID >> {pids}\n[ $(wc -l < {pids}) -gt 1 ] || sleep 600\n"
    )
    add_app("hold", str(hold))
    job = add_job(application="hold")
    head = Head(LauncherOptions(mode="serial"), [Node("far1", (0, 1))], db / "log", Client())

    async def run() -> None:
        async with asyncio.timeout(60):
            running = asyncio.create_task(head.run())
            while not lines(pids):
                await asyncio.sleep(0.01)
            os.kill(int(lines(pids)[0].split()[1]), signal.SIGKILL)
            await running

    asyncio.run(run())
    job.refresh_from_db()
    assert (job.state, job.attempt) == ("JOB_FINISHED", 2)
    first = int(lines(pids)[0].split()[0])
    wait_until(lambda: not psutil.pid_exists(first) or psutil.Process(first).status() == "zombie")


def test_the_secret_is_in_no_argument_and_no_environment(
    db: Path, tmp_path: Path, ssh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = b"5e5a3e" * 8
    monkeypatch.setattr(hiring, "new_secret", secret.decode)
    go = tmp_path / "go"
    trace = add_tracing_app(tmp_path, f"while [ ! -e {go} ]; do sleep 0.02; done")
    add_job(application="note")
    head = Head(LauncherOptions(mode="serial"), [Node("far1", (0, 1))], db / "log", Client())

    async def run() -> dict[str, bytes]:
        async with asyncio.timeout(60):
            running = asyncio.create_task(head.run())
            while not lines(trace):
                await asyncio.sleep(0.01)
            found = public_texts()
            go.touch()
            await running
            return found

    texts = asyncio.run(run())
    assert any(b"balsam.launcher.worker" in text for text in texts.values())
    assert [path for path, text in texts.items() if secret in text] == []


def public_texts() -> dict[str, bytes]:
    """Arguments and environments of all processes."""
    texts = {}
    for pid in psutil.pids():
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):  # it has ended
                texts[f"{pid} {name}"] = Path(f"/proc/{pid}/{name}").read_bytes()
    return texts

"""A head for tests of workers: starts the real process, feeds it, and keeps what it tells."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from balsam.launcher.channel import ChannelIdentity, Message
from balsam.launcher.head_channel import WorkerLink, WorkerListener
from balsam.launcher.run_messages import run_messages
from balsam.launcher.worker_setup import WorkerSetup
from balsam.platform.nodes.node import Node
from balsam.schemas.jobs import JobSpec

IDENTITY = ChannelIdentity("the-secret-of-this-launch", "test-database", 42)


@dataclass
class Driver:
    """One worker, seen from its head."""

    workdir: Path
    link: WorkerLink
    process: asyncio.subprocess.Process
    ready: Message
    #: What was told, by job id and attempt, in the order in which it was told.
    started: dict[tuple[str, int], str] = field(default_factory=dict)
    ended: dict[tuple[str, int], tuple[int | None, str]] = field(default_factory=dict)
    returned: dict[tuple[str, int], str] = field(default_factory=dict)
    #: What Python applications have left, and what the worker has said besides.
    outcomes: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    last: Message = field(default_factory=dict)
    said_bye: bool = False

    def spec(self, job_id: str, command: str, **more: Any) -> JobSpec:
        """A job with a directory of its own; 8 of them fit on the node."""
        more = {"name": job_id, "workdir": str(self.workdir / job_id), "node_packing_count": 8, **more}
        return JobSpec(**{"job_id": job_id, "attempt": 1, "command": command, **more})

    def run(self, *specs: JobSpec) -> None:
        """Hand jobs to the worker."""
        for message in run_messages(specs):
            self.link.send(message)

    def sh(self, job_id: str, text: str, **more: Any) -> None:
        """Hand over a job that runs a shell script."""
        self.run(self.spec(job_id, self.script(job_id, text), **more))

    def script(self, name: str, text: str) -> str:
        """Write a shell script; returns its path."""
        path = self.workdir / f"{name}.sh"
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)
        return str(path)

    def tell(self, kind: str, **more: Any) -> None:
        """Send another message."""
        self.link.send({"type": kind, **more})

    def output(self, job_id: str) -> str:
        """What a job has written so far."""
        path = self.workdir / job_id / f"{job_id}.out"
        return path.read_text() if path.exists() else ""

    async def until(self, condition: Callable[[], object], timeout_sec: float = 30) -> None:
        """Take messages in until the condition holds."""
        async with asyncio.timeout(timeout_sec):
            while not condition():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.02):  # files change without a message
                        await self.take_message()

    async def take_message(self) -> None:
        """Take one message in, and check what holds of all."""
        message = await self.link.receive()
        if message is None or message["type"] == "bye":
            self.said_bye = self.said_bye or message is not None
            assert message is not None or self.said_bye, "the worker died"
            await asyncio.sleep(0.01)
            return
        if message["type"] == "note":
            self.notes.append(message["text"])
            return
        if message["type"] == "outcomes":
            for job_id, attempt, value, exception in message["jobs"]:
                self._note(self.outcomes, (job_id, attempt), (value, exception))
            return
        self.last = message
        for job_id, attempt, age_sec, where in message["started"]:
            assert age_sec >= 0 and where
            self._note(self.started, (job_id, attempt), where)
        for job_id, attempt, code, age_sec, tail in message["ended"]:
            assert age_sec >= 0 and (code is None or (job_id, attempt) in self.started)
            self._note(self.ended, (job_id, attempt), (code, tail))
        for job_id, attempt, reason in message["returned"]:
            self._note(self.returned, (job_id, attempt), reason)

    @staticmethod
    def _note(told: dict[tuple[str, int], Any], key: tuple[str, int], value: object) -> None:
        assert key not in told, f"{key} was told twice"
        told[key] = value

    async def ends(self, *job_ids: str, attempt: int = 1) -> list[int | None]:
        """Wait for the ends of jobs; returns their codes."""
        keys = [(job_id, attempt) for job_id in job_ids]
        await self.until(lambda: all(key in self.ended for key in keys))
        return [self.ended[key][0] for key in keys]

    async def leaves(self, timeout_sec: float = 30) -> int:
        """Wait for the worker process to end; returns its exit code."""
        async with asyncio.timeout(timeout_sec):
            return await self.process.wait()


@contextlib.asynccontextmanager
async def worker(
    workdir: Path,
    *,
    program: Iterable[str] = ("-m", "balsam.launcher.worker"),
    pass_fds: tuple[int, ...] = (),
    **setup: Any,
) -> AsyncIterator[Driver]:
    """A worker process that owns one node called `here`, with 8 CPUs as far as placement is concerned."""
    setup = {"mode": "serial", "nodes": (Node("here", tuple(range(8))),), "grace_sec": 5.0, **setup}
    async with WorkerListener(IDENTITY) as listener:
        line = WorkerSetup(
            address=listener.address,
            secret=IDENTITY.secret,
            instance_id=IDENTITY.instance_id,
            session_id=IDENTITY.session_id,
            **setup,
        ).to_line()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *program,
            stdin=asyncio.subprocess.PIPE,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(line.encode())
        process.stdin.close()
        async with asyncio.timeout(30):
            link = await listener.accept()
            ready = await link.receive()
        assert ready is not None
        try:
            yield Driver(workdir, link, process, ready)
        finally:
            link.close()
            async with asyncio.timeout(30):
                await process.wait()


def is_gone(pid: int) -> bool:
    """Say whether a process has ended; a zombie has."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True

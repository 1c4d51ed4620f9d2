"""The workers of a launcher: their processes, their links, and what each is doing.

A worker is started in a session of its own, so a signal to the launcher's terminal reaches only the head,
which decides; a worker whose head dies kills what it runs.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from balsam.exceptions import WorkerError
from balsam.launcher.channel import ChannelIdentity, Message, new_secret
from balsam.launcher.head_channel import WorkerLink, WorkerListener
from balsam.launcher.options import LauncherOptions
from balsam.launcher.pacing import Pacing
from balsam.launcher.run_messages import run_messages
from balsam.launcher.worker_setup import WorkerSetup
from balsam.lib.processes import orphans_of
from balsam.platform.nodes import Node
from balsam.schemas.jobs import JobSpec
from balsam.schemas.sessions import SessionInfo

__all__ = ["Crew", "CrewMember"]

logger = logging.getLogger(__name__)

_READY_SEC = 60.0
#: A worker that dies is replaced so many times in one launcher run.
_REPLACEMENTS = 3

OnMessage = Callable[["CrewMember", Message], None]


@dataclass(slots=True)
class CrewMember:
    """One worker and the nodes it owns."""

    worker_id: int
    nodes: list[Node]
    process: asyncio.subprocess.Process
    link: WorkerLink
    pacing: Pacing = field(default_factory=Pacing)
    #: It has room and nothing queued.
    is_starved: bool = True
    #: When it last got, started or ended something.
    last_progress: float = field(default_factory=time.monotonic)
    has_said_bye: bool = False

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.worker_id} on {self.nodes[0].name} (pid {self.process.pid})"

    def run(self, specs: list[JobSpec]) -> None:
        """Queue jobs."""
        for message in run_messages(specs):
            self.link.send(message)

    def note_progress(self, started: int, ended: int, now: float, *, is_starved: bool) -> None:
        """Take in how many jobs have started and ended."""
        self.is_starved = is_starved
        if started:
            self.pacing.note_starts(started, now)
        if started or ended:
            self.pacing.is_blocked = False
            self.last_progress = now

    def give_back(self) -> None:
        """Ask for what has not started."""
        self.link.send({"type": "give_back"})


class Crew:
    """All workers of one launcher; an asynchronous context manager that leaves none behind."""

    def __init__(
        self, options: LauncherOptions, nodes: list[Node], session: SessionInfo, on_message: OnMessage
    ) -> None:
        self.members: list[CrewMember] = []
        self.is_stopped = False
        self._options = options
        self._groups = [[node] for node in nodes] if options.is_serial else [nodes]
        self._on_message = on_message
        self._identity = ChannelIdentity(new_secret(), session.database, session.session_id)
        self._mark = session.mark
        self._readers: set[asyncio.Task[None]] = set()
        self._replaced = 0
        self._time_is_over_at: float | None = None

    async def __aenter__(self) -> "Crew":
        self._listener = await WorkerListener(self._identity).__aenter__()
        try:
            for nodes in self._groups:
                await self._hire(nodes)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._readers:
            task.cancel()
        for member in self.members:
            member.link.close()  # the worker kills what it still runs, and exits
        for member in self.members:
            await self._see_off(member)
        await self._listener.__aexit__(kind, error, trace)

    async def _hire(self, nodes: list[Node]) -> CrewMember:
        worker_id = len(self.members) + self._replaced
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "balsam.launcher.worker",
            stdin=asyncio.subprocess.PIPE, start_new_session=True, env=self._environ(),
        )  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(self._setup(worker_id, nodes).to_line().encode())
        process.stdin.close()
        try:
            async with asyncio.timeout(_READY_SEC):
                link = await self._link_of(process)
        except TimeoutError:
            process.kill()
            raise WorkerError(
                f"The worker for {nodes[0].name} did not report within {_READY_SEC:.0f} s. "
                "Its messages are above; see also the launcher's log."
            ) from None
        member = CrewMember(worker_id, nodes, process, link)
        self.members.append(member)
        self._tell_time(member)
        task = asyncio.create_task(self._listen(member))
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)
        return member

    async def _link_of(self, process: asyncio.subprocess.Process) -> WorkerLink:
        """Wait for the worker to connect; raises WorkerError if it ends instead."""
        accepted = asyncio.create_task(self._listener.accept())
        ended = asyncio.create_task(process.wait())
        try:
            await asyncio.wait({accepted, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not accepted.done():
                raise WorkerError(
                    f"The worker ended with code {process.returncode} before it reported; see its messages."
                )
            return accepted.result()
        finally:
            for task in (accepted, ended):
                task.cancel()

    def _environ(self) -> dict[str, str]:
        count = sum(len(group) for group in self._groups)
        marks = {"BALSAM_SESSION": self._mark, "BALSAM_LAUNCHER_NODES": str(count)}
        return {**os.environ, **marks, "BALSAM_JOB_MODE": self._options.mode}

    def _setup(self, worker_id: int, nodes: list[Node]) -> WorkerSetup:
        return WorkerSetup(
            address=self._listener.address,
            secret=self._identity.secret,
            instance_id=self._identity.instance_id,
            session_id=self._identity.session_id,
            worker_id=worker_id,
            mode=self._options.mode,
            nodes=tuple(nodes),
            mpirun=self._options.mpirun,
            start_unfit=self._options.start_unfit,
        )

    async def _listen(self, member: CrewMember) -> None:
        while (message := await member.link.receive()) is not None:
            if message.get("type") == "bye":
                member.has_said_bye = True
            else:
                self._on_message(member, message)
        if member.has_said_bye:
            self._on_message(member, {"type": "left"})
        else:
            await self._replace(member)

    async def _replace(self, member: CrewMember) -> None:
        """A worker has died: hand its jobs back and hire another."""
        self.members.remove(member)
        code = await member.process.wait()
        for pid in await asyncio.to_thread(orphans_of, "BALSAM_WORKER", f"{self._mark}.{member.worker_id}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._on_message(member, {"type": "gone", "reason": f"exit code {code}"})
        self._replaced += 1
        if self.is_stopped:
            return
        if self._replaced > _REPLACEMENTS:
            self._on_message(member, {"type": "hopeless", "reason": f"{self._replaced} workers have died"})
            return
        await self._hire(member.nodes)
        self._on_message(self.members[-1], {"type": "hired"})

    @property
    def has_left(self) -> bool:
        """Whether every worker has said that it is done, or has died."""
        return all(member.has_said_bye for member in self.members)

    def kill(self, worker_id: int, job_id: str) -> None:
        """End one job."""
        for member in self.members:
            if member.worker_id == worker_id:
                member.link.send({"type": "kill", "job_ids": [job_id]})

    def unblock(self) -> None:
        """Something has changed: every worker may be fed again."""
        for member in self.members:
            member.pacing.is_blocked = False

    def tell_time_left(self, seconds: float | None) -> None:
        """Tell the workers how long jobs that start now may run; None: as long as they like."""
        self._time_is_over_at = None if seconds is None else time.monotonic() + seconds
        for member in self.members:
            self._tell_time(member)

    def _tell_time(self, member: CrewMember) -> None:
        if self._time_is_over_at is not None:
            seconds = self._time_is_over_at - time.monotonic()
            member.link.send({"type": "time_left", "sec": seconds})

    def stop(self, grace_sec: float) -> None:
        """Ask all workers to return what is queued, end what runs, and go."""
        self.is_stopped = True
        for member in self.members:
            member.link.send({"type": "stop", "grace_sec": grace_sec})

    async def finish(self, grace_sec: float) -> None:
        """Stop, and wait until every worker has gone."""
        self.stop(grace_sec)
        for member in self.members:
            await self._see_off(member, grace_sec)

    async def _see_off(self, member: CrewMember, grace_sec: float = 5.0) -> None:
        try:
            async with asyncio.timeout(grace_sec + 5.0):
                await member.process.wait()
        except TimeoutError:
            logger.error("Worker %s does not end; killing it", member.name)
            with contextlib.suppress(ProcessLookupError):
                member.process.kill()
            await member.process.wait()

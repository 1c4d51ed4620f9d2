"""The workers of a launcher: one for each node, or one for all; what each is doing, and who replaces it.

A worker is started in a session of its own, so a signal to the launcher's terminal reaches only the head,
which decides; a worker whose head dies kills what it runs. A worker that dies is replaced; nodes on which
that happens too often are given up, and the launcher goes on with the others.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable

from balsam.exceptions import ChannelError, WorkerError
from balsam.launcher.channel import Message
from balsam.launcher.crew_member import CrewMember
from balsam.launcher.head_address import head_address
from balsam.launcher.hiring import Hiring, Post, worker_environ
from balsam.launcher.options import LauncherOptions
from balsam.lib.processes import orphans_of
from balsam.platform.nodes import Node
from balsam.platform.nodes.local import is_this_host
from balsam.schemas.sessions import SessionInfo

__all__ = ["Crew", "CrewMember"]

logger = logging.getLogger(__name__)

#: After so many failures the nodes of a worker are given up.
_MAX_FAILURES = 4
#: Before the second replacement; twice as long before each further one.
_FIRST_PAUSE_SEC = 1.0
#: What has started a worker elsewhere may take so long to see that it has died.
_WIND_UP_SEC = 5.0
#: Workers that are started at once.
_MAX_STARTING = 100

OnMessage = Callable[["CrewMember", Message], None]
OnGivenUp = Callable[[str, str], None]


class Crew:
    """All workers of one launcher; an asynchronous context manager that leaves none behind.

    ``on_message`` gets what workers say, and of type ``hired``, ``gone`` and ``left`` what is said of them;
    ``on_given_up`` the name of nodes that are not used any more, and why.
    """

    def __init__(
        self,
        options: LauncherOptions,
        nodes: list[Node],
        session: SessionInfo,
        on_message: OnMessage,
        on_given_up: OnGivenUp,
    ) -> None:
        self.members: list[CrewMember] = []
        self.is_stopped = False
        if options.is_serial:
            self._posts = [
                Post(node.name, [node], is_here=is_this_host(node.name, os.environ)) for node in nodes
            ]
        else:
            self._posts = [Post(nodes[0].name, list(nodes), is_here=True)]
        self._on_message = on_message
        self._on_given_up = on_given_up
        self._mark = session.mark
        elsewhere = [post.name for post in self._posts if not post.is_here]
        environ = worker_environ(self._mark, options.mode, len(nodes))
        self._hiring = Hiring(options, session, head_address(elsewhere), environ)
        self._starting = asyncio.Semaphore(_MAX_STARTING)
        self._keepers: list[asyncio.Task[None]] = []
        self._time_is_over_at: float | None = None

    async def __aenter__(self) -> "Crew":
        await self._hiring.__aenter__()
        self._keepers = [asyncio.create_task(self._keep(post)) for post in self._posts]
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._keepers:
            task.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for member in self.members:
            member.link.close()  # the worker kills what it still runs, and exits
        await asyncio.gather(*(self._see_off(member) for member in self.members))
        await self._hiring.__aexit__(None, None, None)

    @property
    def is_hopeless(self) -> bool:
        """Whether all nodes have been given up."""
        return not self.num_nodes

    @property
    def num_nodes(self) -> int:
        """Nodes that have not been given up."""
        return sum(len(post.nodes) for post in self._posts)

    def lose_node(self, member: CrewMember, name: str) -> None:
        """Give up one of several nodes that a worker serves."""
        member.nodes[:] = [node for node in member.nodes if node.name != name]

    async def _keep(self, post: Post) -> None:
        """Keep a worker on these nodes, until the crew is stopped or they are given up."""
        while not self.is_stopped:
            try:
                async with self._starting:
                    member = await self._hiring.hire(post)
            except WorkerError as error:
                reason = str(error)
                logger.error("%s", reason)
            else:
                reason = await self._employ(member)
            post.failures += 1
            if self.is_stopped:
                break
            if post.failures >= _MAX_FAILURES:
                self._posts.remove(post)
                self._on_given_up(post.name, f"{post.failures} workers have failed, the last: {reason}")
                break
            if post.failures > 1:
                await asyncio.sleep(_FIRST_PAUSE_SEC * 2 ** (post.failures - 2))

    async def _employ(self, member: CrewMember) -> str:
        """Pass on what a worker says until it is gone, and say why it is."""
        self.members.append(member)
        if self.is_stopped:
            member.link.send({"type": "stop", "grace_sec": 0.0})
        self._tell_time(member)
        self._on_message(member, {"type": "hired"})
        ended = asyncio.create_task(self._note_end(member))
        try:
            await self._listen(member)
        finally:
            ended.cancel()
        if member.has_said_bye and self.is_stopped:
            self._on_message(member, {"type": "left"})
            return ""
        self.members.remove(member)
        return await self._bury(member)

    async def _note_end(self, member: CrewMember) -> None:
        """Close the link to a worker whose process has ended, should nobody else do so."""
        await member.process.wait()
        await asyncio.sleep(_WIND_UP_SEC)
        member.link.close()

    async def _listen(self, member: CrewMember) -> None:
        try:
            while (message := await member.link.receive()) is not None:
                if message.get("type") == "bye":
                    member.has_said_bye = True
                else:
                    self._on_message(member, message)
        except ChannelError as error:
            logger.error("Worker %s: %s", member.name, error)
            member.link.close()

    async def _bury(self, member: CrewMember) -> str:
        """A worker is gone unasked: end what is left of it, then hand its jobs back."""
        await self._see_off(member, grace_sec=0.0)
        for pid in await asyncio.to_thread(orphans_of, "BALSAM_WORKER", f"{self._mark}.{member.worker_id}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        said = "it was told to end" if member.has_said_bye else f"exit code {member.process.returncode}"
        self._on_message(member, {"type": "gone", "reason": said})
        return said

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
        await asyncio.gather(*(self._see_off(member, grace_sec) for member in self.members))

    async def _see_off(self, member: CrewMember, grace_sec: float = 5.0) -> None:
        try:
            async with asyncio.timeout(grace_sec + _WIND_UP_SEC):
                await member.process.wait()
        except TimeoutError:
            logger.error("Worker %s does not end; killing it", member.name)
            with contextlib.suppress(ProcessLookupError):
                member.process.kill()
            await member.process.wait()

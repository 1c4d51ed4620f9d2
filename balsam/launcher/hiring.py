"""Start workers and match them with the links that come in; a worker that was not hired is turned away."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from balsam.exceptions import WorkerError
from balsam.launcher.channel import ChannelIdentity, new_secret
from balsam.launcher.crew_member import CrewMember
from balsam.launcher.head_channel import WorkerLink, WorkerListener
from balsam.launcher.options import LauncherOptions
from balsam.launcher.worker_setup import WorkerSetup
from balsam.launcher.worker_start import starter_environ, worker_start
from balsam.platform.nodes import Node
from balsam.schemas.sessions import SessionInfo

__all__ = ["Hiring", "Post", "worker_environ"]

logger = logging.getLogger(__name__)

_READY_SEC = 60.0


@dataclass(slots=True)
class Post:
    """The nodes that one worker serves."""

    name: str
    nodes: list[Node]
    #: The worker is a child of the head: on this host, or for all nodes at once.
    is_here: bool
    #: Workers here that have died or never reported.
    failures: int = 0
    #: Numbers of the workers that have been here.
    former: list[int] = field(default_factory=list)


class Hiring:
    """Starts the workers of one session; an asynchronous context manager."""

    def __init__(
        self, options: LauncherOptions, session: SessionInfo, address: str, environ: Mapping[str, str]
    ) -> None:
        self._options = options
        self._identity = ChannelIdentity(new_secret(), session.database, session.session_id)
        self._listener = WorkerListener(self._identity, address)
        launcher = options.worker_launcher
        self._environ = {**environ, **starter_environ(launcher, is_root=os.getuid() == 0)}
        self._last_id = -1
        self._expected: dict[int, asyncio.Future[WorkerLink]] = {}

    async def __aenter__(self) -> "Hiring":
        await self._listener.__aenter__()
        self._greeter = asyncio.create_task(self._greet())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._greeter.cancel()
        await self._listener.__aexit__(None, None, None)

    async def hire(self, post: Post) -> CrewMember:
        """Start a worker and wait for its report; raises WorkerError, and then nothing runs."""
        self._last_id += 1
        worker_id = self._last_id
        link: asyncio.Future[WorkerLink] = asyncio.get_running_loop().create_future()
        self._expected[worker_id] = link
        try:
            process = await self._start(worker_id, post)
            try:
                return CrewMember(
                    worker_id, post.name, post.nodes, process, await _reported(process, link, post.name)
                )
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    process.kill() if post.is_here else process.terminate()
                raise
        finally:
            del self._expected[worker_id]
            post.former.append(worker_id)

    async def _start(self, worker_id: int, post: Post) -> asyncio.subprocess.Process:
        start = worker_start(
            post.name, self._options.worker_launcher, is_here=post.is_here, environ=self._environ
        )
        setup = self._setup(worker_id, post, start.environ)
        try:
            process = await asyncio.create_subprocess_exec(
                *start.argv, stdin=asyncio.subprocess.PIPE, start_new_session=True, env=self._environ
            )
        except OSError as error:
            raise WorkerError(
                f"The worker for {post.name} cannot be started: {start.argv[0]}: {error.strerror}. "
                "Set WORKER_LAUNCHER in settings.json to what starts programs on the nodes here."
            ) from error
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it has ended already, which is told below
            process.stdin.write(setup.to_line().encode())
            process.stdin.close()
        return process

    def _setup(self, worker_id: int, post: Post, environ: Mapping[str, str]) -> WorkerSetup:
        return WorkerSetup(
            address=self._listener.address,
            secret=self._identity.secret,
            instance_id=self._identity.instance_id,
            session_id=self._identity.session_id,
            worker_id=worker_id,
            mode=self._options.mode,
            nodes=tuple(post.nodes),
            mpirun=self._options.mpirun,
            node_starter=self._options.worker_launcher,
            max_running=self._options.max_concurrent,
            gpu_kind=self._options.gpu_kind,
            lends_gpus=bool(self._options.gpus_per_node),
            takes_whole_nodes=self._options.takes_whole_nodes,
            names_hosts=self._options.names_hosts,
            start_unfit=self._options.start_unfit,
            environ=dict(environ),
            former=tuple(post.former),
        )

    async def _greet(self) -> None:
        while True:
            link = await self._listener.accept()
            expected = self._expected.get(link.worker_id)
            if expected is None or expected.done():
                logger.warning("Turned away worker %d, which is not waited for any more", link.worker_id)
                link.close()
            else:
                expected.set_result(link)


async def _reported(
    process: asyncio.subprocess.Process, link: "asyncio.Future[WorkerLink]", name: str
) -> WorkerLink:
    """Wait for the worker to connect; raises WorkerError if it ends instead, or takes too long."""
    ended = asyncio.create_task(process.wait())
    first: set[asyncio.Future[object]] = {link, ended}  # type: ignore[arg-type]
    try:
        await asyncio.wait(first, timeout=_READY_SEC, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.cancel()
    if link.done():
        return link.result()
    if process.returncode is not None:
        raise WorkerError(
            f"The worker for {name} ended with code {process.returncode} before it reported; "
            "see its messages."
        )
    raise WorkerError(f"The worker for {name} did not report within {_READY_SEC:.0f} s; see its messages.")


def worker_environ(mark: str, mode: str, num_nodes: int) -> dict[str, str]:
    """Return the environment of a worker; by the mark, what a dead head has left behind is found."""
    marks = {"BALSAM_SESSION": mark, "BALSAM_LAUNCHER_NODES": str(num_nodes), "BALSAM_JOB_MODE": mode}
    # Balsam counts what a node can hold: steps of Slurm need not exclude each other. And a batch job may
    # outlive its nodes, but a step that has lost ranks is to end.
    inherited = {name: value for name, value in os.environ.items() if name != "SLURM_NO_KILL"}
    return {"SLURM_OVERLAP": "1", **inherited, **marks}

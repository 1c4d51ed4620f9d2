"""The service of a database or a site: takes its session, runs its loops, and ends when it is told to."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from balsam.agent.health import Board
from balsam.agent.lease import LeaseKeeper
from balsam.agent.notices import EVERYTHING, Notices
from balsam.agent.post import Post
from balsam.agent.processing import Processing
from balsam.agent.reporting import Reporting
from balsam.agent.stopping import Stopping
from balsam.agent.supervision import Loop, Supervisor
from balsam.agent.sync import SchedulerSync
from balsam.agent.transferring import Transferring
from balsam.client import Client
from balsam.config.user_log import log_as_set
from balsam.exceptions import BalsamError, ConflictError, LoginNeededError, UnreachableError
from balsam.launcher.recovery import recover
from balsam.lib.processes import this_process
from balsam.schemas.sessions import SessionInfo, SessionRequest

__all__ = ["run_service"]

logger = logging.getLogger(__name__)

#: For all loops to end; a command of the scheduler may take longer, and is not waited for.
_STOP_SEC = 8.0


def run_service(post: Post, client: Client, stopping: Stopping, on_ready: Callable[[Path], None]) -> None:
    """Run the service in this process until ``stopping`` says so; ``on_ready`` gets the path of the log.

    Raises BalsamError, with where it runs, when the database or site has a service already.
    """
    post.check_is_free(client)
    post.open_desk(client)  # says what is wrong with the settings while somebody listens
    log_path = _open_log(post)
    service = _Service(client, post, log_path, stopping)
    session = service.open_session()
    client.transport.set_patience(True)
    try:
        service.prepare()
        on_ready(log_path)
        while service.run(session):
            session = service.open_session()
    except BaseException:
        service.end_session(session, "The service has failed")
        raise


def _open_log(post: Post) -> Path:
    settings = post.settings()
    path = log_as_set("service", settings, post.directory)
    me = this_process()
    first = f"Balsam service on host {me.host}, pid {me.pid}, of {post.label}"
    # Whatever the level: people look there for where to stop it.
    logger.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, first, (), None))
    return path


@dataclass(slots=True)
class _Loops:
    """The loops of one session."""

    supervisor: Supervisor
    processing: Processing | None
    transferring: Transferring | None

    def on_topics(self, session_id: int, topics: list[str]) -> None:
        """Wake whom a notice concerns."""
        is_all = EVERYTHING in topics
        if is_all or "work" in topics:
            if self.processing is not None:
                self.processing.wake()
            self.supervisor.wake("launches", "elastic queue")
        if (is_all or "transfers" in topics) and self.transferring is not None:
            self.transferring.wake()
        if is_all or "batch" in topics:
            self.supervisor.wake("scheduler", "launches")
        if self.processing is not None and (is_all or f"lost {session_id}" in topics):
            self.processing.doubt()
            self.supervisor.wake("processing")


class _Service:
    """The service, which may have several sessions one after another: see `run`."""

    def __init__(self, client: Client, post: Post, log_path: Path, stopping: Stopping) -> None:
        self._client = client
        self._post = post
        self._log_dir = log_path.parent
        self._stopping = stopping
        self._board = Board()
        self._board.say(log=str(log_path), pid=os.getpid())
        self._board.say(steps=post.num_workers, tags=dict(post.selection.tags))

    def prepare(self) -> None:
        """Read what can be wrong; raises ConfigError."""
        self._post.prepare(self._board)

    def open_session(self) -> SessionInfo:
        """Take the database; raises BalsamError when another service has it."""
        recover(self._client, self._log_dir)
        me = this_process()
        request = SessionRequest(
            kind="service",
            host=me.host,
            boot_id=me.boot_id,
            pid=me.pid,
            start_time=me.start_time,
            site_id=self._post.selection.site_id,
        )
        try:
            session = self._client.open_service(request)
        except ConflictError:
            self._post.check_is_free(self._client)
            raise BalsamError("Another service has just ended. Try again.") from None
        logger.info("Session %d", session.session_id)
        return session

    def run(self, session: SessionInfo) -> bool:
        """Run loops until the service is to stop; return whether to go on with another session.

        That is when the database was away so long that somebody took this session for dead.
        """
        self._stopping.forget_losses()
        loops = self._make_loops(session)
        self._board.on_news = lambda: loops.supervisor.wake("status")
        loops.supervisor.start()
        reason = self._stopping.wait()
        logger.warning("%s: the service ends", reason.text)
        self._client.transport.set_patience(reason.is_lost)
        if late := loops.supervisor.stop(_STOP_SEC):
            logger.warning("Not waited for: %s", ", ".join(late))
        if not reason.is_lost:
            self.end_session(session, reason.text)
        return reason.is_lost

    def end_session(self, session: SessionInfo, reason: str) -> None:
        """Free what the session holds; it ends by itself when the database is away."""
        try:
            self._client.close_session(session.session_id, reason)
        except (UnreachableError, LoginNeededError) as error:
            logger.warning("The session could not be ended: %s", error)
        self._client.transport.close()

    def _make_loops(self, session: SessionInfo) -> _Loops:
        client, session_id = self._client, session.session_id

        def wake(*names: str) -> Callable[[], None]:
            return lambda: loops.supervisor.wake(*names)

        post, board = self._post, self._board
        processing = None
        if post.num_workers:
            processing = Processing(
                client, session_id, wake("launches"), selection=post.selection, concurrency=post.num_workers
            )
        transferring = None
        board.say(moves_files=post.mover_options is not None)
        if post.mover_options is not None:
            transferring = Transferring(client, session_id, post.mover_options, board)
        sync = SchedulerSync(
            lambda: post.open_desk(client), board, wake("leases", "launches"), period_sec=post.sync_period_sec
        )
        every: list[Loop | None] = [
            Notices(client, lambda topics: loops.on_topics(session_id, topics)),
            LeaseKeeper(client, session_id, self._log_dir),
            processing,
            transferring,
            sync,
            *post.loops(client, sync, board, wake("launches")),
            Reporting(client, session_id, board),
        ]
        supervisor = Supervisor(
            [loop for loop in every if loop is not None],
            board,
            on_lost=self._stopping.lost,
            on_thread_end=client.transport.close,
        )
        loops = _Loops(supervisor, processing, transferring)
        return loops

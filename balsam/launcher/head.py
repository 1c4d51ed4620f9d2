"""The head of a launcher: holds the lease, claims jobs, feeds the workers, reports, and knows when to leave.

One event loop. Everything that happens (a worker's message, a notice from the core, a signal, the clock)
sets `_news`; one cycle then reports what is owed and claims what is wanted. Nothing is polled.
"""

import asyncio
import logging
import signal
from pathlib import Path

from balsam.client import Client
from balsam.exceptions import WorkerError
from balsam.launcher import chores
from balsam.launcher.channel import Message
from balsam.launcher.core_link import CoreLink
from balsam.launcher.crew import Crew, CrewMember
from balsam.launcher.feeding import Feeder
from balsam.launcher.job_news import JobNews
from balsam.launcher.journal import Journal
from balsam.launcher.leaving import Leaving
from balsam.launcher.ledger import Ledger
from balsam.launcher.options import LauncherOptions
from balsam.launcher.pacing import report_delay_sec
from balsam.launcher.recovery import recover
from balsam.launcher.surroundings import session_request
from balsam.launcher.tally import Tally
from balsam.launcher.watcher import EVERYTHING, Watcher
from balsam.platform.nodes import Node
from balsam.processing import Processor
from balsam.schemas.sessions import ReportReply, SessionInfo

__all__ = ["Head"]

logger = logging.getLogger(__name__)


class Head:
    """One launcher run on these nodes. Call `run` once."""

    def __init__(
        self, options: LauncherOptions, nodes: list[Node], log_dir: Path, client: Client | None = None
    ) -> None:
        self.options = options
        self.nodes = nodes
        self.tally = Tally(workflow=options.workflow)
        self._log_dir = log_dir
        self._client = client or Client()
        self._ledger = Ledger()
        self._core = CoreLink(self._client, self._ledger)
        self._feeder = Feeder(options, self._core, self._ledger)
        self._leaving = Leaving(options)
        self._job_news = JobNews(self._ledger, self.tally, options.error_tail_lines)
        self._failure: WorkerError | None = None
        self._lost_notice = False
        self._last_report_size = 0

    async def run(self) -> Tally:
        """Run until nothing is left to do, the time is over or a signal comes; return what was done.

        Raises LeaseLostError when another process has taken the session over; its jobs are killed then.
        """
        self._news, self._stopped = asyncio.Event(), asyncio.Event()
        self._client.transport.set_patience(True)
        try:
            await self._core.run(lambda: recover(self._client, self._log_dir))
            session = await self._open_session()
            self._session_id = self._feeder.session_id = session.session_id
            self._crew = Crew(self.options, self.nodes, session, self._on_worker, self._on_given_up)
            await self._run_session()
            reason = self._job_news.stopping or "The launcher has ended"
            await self._core.run(lambda: self._client.close_session(self._session_id, reason))
        finally:
            self._core.close()
        return self.tally

    async def _open_session(self) -> SessionInfo:
        request = session_request(self.options, self.nodes)
        session = await self._core.run(lambda: self._client.open_session(request))
        self._core.use_journal(Journal(self._log_dir, session.session_id))
        logger.info("Session %d on %s (pid %d)", session.session_id, request.host, request.pid)
        return session

    async def _run_session(self) -> None:
        self._processor = self._start_processor()
        self.tally.count_steps = lambda: len(self._processor.held_ids())
        watcher = Watcher(self._client, self._on_topics)
        try:
            async with self._crew:
                self._catch_signals()
                await self._work_with_chores()
        finally:
            await asyncio.to_thread(self._processor.stop, self.options.grace_sec)
            await asyncio.to_thread(watcher.stop)

    def _start_processor(self) -> Processor:
        loop = asyncio.get_running_loop()

        def on_reported(reply: ReportReply) -> None:
            loop.call_soon_threadsafe(self._on_steps_reported, reply)

        processor = Processor(
            self._client,
            self._session_id,
            concurrency=self.options.num_transition_threads,
            selection=self.options.selection,
            on_reported=on_reported,
        )
        processor.start()
        return processor

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # started by nohup
            loop.add_signal_handler(number, self._on_signal, number)

    async def _work_with_chores(self) -> None:
        """Work, with the clock, the lease and the neighbours looked after; the first failure ends all."""
        grace_sec = self.options.grace_sec
        self._crew.tell_time_left(self._feeder.time_for_jobs_sec())
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = [
                    tasks.create_task(chore)
                    for chore in (
                        chores.keep_lease(self._core, self._session_id),
                        chores.keep_time(self._feeder.time_left_sec(), grace_sec, self._stop),
                        chores.watch_neighbours(self._core, self._log_dir, self._on_freed),
                        chores.give_up_in_time(self._core, self._stopped, grace_sec),
                    )
                ]
                await self._work()
                for task in beside:
                    task.cancel()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    # -- news ----------------------------------------------------------------------------------------

    def _on_signal(self, number: int) -> None:
        name = signal.Signals(number).name
        if self._job_news.stopping:
            logger.warning("%s again: killing what is left", name)
            self._crew.stop(grace_sec=0.0)
        else:
            self.tally.is_interrupted = number == signal.SIGINT
            self._stop(f"The launcher was stopped by {name}")

    def _stop(self, reason: str) -> None:
        """Claim no more, give back what has not started, and ask what runs to end."""
        if self._job_news.stopping:
            return
        logger.warning("%s; %d jobs are held", reason, len(self._ledger.held))
        self._job_news.stopping = self.tally.stopped = reason
        self._feeder.is_closed = True
        self._stopped.set()
        self._crew.stop(self.options.grace_sec)
        self._news.set()

    def _on_freed(self) -> None:
        self._feeder.may_be_work = True
        self._news.set()

    def _on_topics(self, topics: list[str]) -> None:
        if EVERYTHING in topics or f"lost {self._session_id}" in topics:
            self._lost_notice = True
        if EVERYTHING in topics or "work" in topics:
            self._feeder.may_be_work = True
            self._processor.wake()
            self._crew.unblock()
        if EVERYTHING in topics or "transfers" in topics:
            self._processor.wake_mover()
        if EVERYTHING not in topics:  # that is a look by the clock: nobody says that something has changed
            self._leaving.note_change()
        self._news.set()

    def _on_steps_reported(self, reply: ReportReply) -> None:
        self.tally.add_steps(reply)
        self._leaving.note_change()
        self._news.set()

    def _on_worker(self, member: CrewMember, message: Message) -> None:
        """Take in what a worker says, or what the crew says of it."""
        kind = message.get("type")
        if kind == "events":
            self._job_news.take(member, message)
        elif kind == "outcomes":
            self._job_news.take_outcomes(message)
            return  # the ends follow
        elif kind == "note":
            logger.info("Worker %s: %s", member.name, message["text"])
            return
        elif kind == "lost":
            self._job_news.lose_jobs(message)
            for name, reason in message["nodes"]:
                self._crew.lose_node(member, name)
                self._on_given_up(name, reason)
        elif kind == "gone":
            self._job_news.lose(member, message["reason"])
        elif kind == "hired":
            self._feeder.share(self._crew, member)
        self._leaving.note_change()
        self._news.set()

    def _on_given_up(self, name: str, reason: str) -> None:
        """Go on without these nodes, if there are others."""
        logger.error("Nothing more is run on %s: %s", name, reason)
        self.tally.given_up.append(name)
        if self._crew.is_hopeless:
            self._failure = WorkerError(
                f"The launcher gives up: {reason}. No other node is left. See its log in {self._log_dir}."
            )
        self._news.set()

    # -- cycles --------------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Cycle while there is news, until it is time to leave."""
        while not await self._cycle():
            pass
        await self._report()
        await self._crew.finish(self.options.grace_sec)

    async def _cycle(self) -> bool:
        """Wait for news and act on it; return whether it is time to leave."""
        await self._wait_for_news()
        await self._report()
        if self._failure is not None:
            raise self._failure
        if self._lost_notice:
            await self._drop_lost()
        if self._job_news.stopping:
            if self._crew.has_left and not self._ledger.owes:
                self._job_news.return_rest(self._crew.members)
            return not self._ledger.held and not self._ledger.owes
        await self._feeder.feed(self._crew)
        return await self._is_done()

    async def _wait_for_news(self) -> None:
        delay_sec = report_delay_sec(self._last_report_size)
        if delay_sec:
            await asyncio.sleep(delay_sec)
        if not self._ledger.owes:
            try:
                async with asyncio.timeout(self._leaving.next_look_sec(bool(self._ledger.held))):
                    await self._news.wait()
            except TimeoutError:
                self._feeder.may_be_work = True
        self._news.clear()

    async def _report(self) -> None:
        self._last_report_size = self._ledger.owes
        reply = await self._core.report(self._session_id)
        if reply is not None:
            self.tally.add(reply)
            if reply.late:
                logger.warning("Refused as late: %s", ", ".join(reply.late))
                await self._require_lease()
            if reply.released:
                self._feeder.may_be_work = True

    async def _drop_lost(self) -> None:
        """Kill jobs that users have killed, deleted or reset while they were here."""
        self._lost_notice = False
        ids = [*self._ledger.held, *self._processor.held_ids()]
        gone = await self._core.run(lambda: self._client.lost(self._session_id, ids))
        self._processor.lost(gone)
        for job in self._ledger.lose(gone):
            logger.warning("%s was taken away; killing it", job.spec.job_id)
            self._crew.kill(job.worker, job.spec.job_id)
        if gone:
            await self._require_lease()

    async def _require_lease(self) -> None:
        """When jobs have been taken away: raise LeaseLostError if it was the whole session."""
        await self._core.run(lambda: self._client.heartbeat(self._session_id))

    async def _is_done(self) -> bool:
        if self._ledger.held or self._ledger.owes or self._processor.is_busy() or self._feeder.may_be_work:
            return False
        outlook = await self._feeder.outlook(self._crew.num_nodes)
        self.tally.outlook = outlook
        self.tally.no_more_parallel = self._feeder.why_no_more_parallel
        self.tally.unplaceable = next(iter(self._ledger.unplaceable.values()), "")
        if outlook.runnable:
            self._feeder.may_be_work = True
            self._news.set()
            return False
        if outlook.mine:  # a step that has just been claimed, or a claim whose reply never came
            await self._free_unknown()
            return False
        return self._leaving.should_leave(outlook)

    async def _free_unknown(self) -> None:
        """Free what the session holds in the core and nothing here knows of."""
        known = self._ledger.known_ids()

        def reconcile() -> int:
            with self._processor.holding() as in_steps:
                return self._client.reconcile(self._session_id, [*known, *in_steps])

        if freed := await self._core.run(reconcile):
            logger.warning(
                "%d jobs were claimed without this launcher's knowledge; they are free again", freed
            )
            self._on_freed()

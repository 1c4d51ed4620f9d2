"""Do hooks, links and transfers in threads, for a session that a launcher or agent holds.

What was claimed is reported, handed back, or freed with the session: never forgotten.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from balsam.client import Client
from balsam.config.site_config import endpoint_here
from balsam.processing.courier import Courier
from balsam.processing.hooks import HOOK_TIMEOUT_SEC
from balsam.processing.interruption import GRACE_SEC
from balsam.processing.steps import perform
from balsam.processing.transfers import Mover, MoverOptions
from balsam.processing.workload import Task, Workload
from balsam.schemas.sessions import ReportReply, Selection

__all__ = ["Processor"]


class Processor:
    """Does at most ``concurrency`` steps at once; with 0 it does nothing at all.

    ``selection`` says whose: without it, all jobs of the database directory. Their files are moved, too,
    unless ``moves_files`` says that somebody else does that.

    Every method may be called from any thread. ``on_reported`` is called after each report with the
    database's reply, in a thread of the processor's: it must return soon.
    """

    def __init__(
        self,
        client: Client,
        session_id: int,
        *,
        concurrency: int,
        selection: Selection | None = None,
        on_reported: Callable[[ReportReply], None] | None = None,
        hook_timeout_sec: float = HOOK_TIMEOUT_SEC,
        moves_files: bool = True,
    ) -> None:
        self._concurrency = concurrency
        self._hook_timeout_sec = hook_timeout_sec
        self._changed = threading.Condition()
        self._load = Workload(concurrency)
        whose = selection or Selection()
        self._on_reported = on_reported
        self._courier = Courier(client, session_id, whose, self._load, self._changed, self._after_steps)
        self._threads: list[threading.Thread] = []
        self._mover: Mover | None = None
        if moves_files and concurrency:
            options = MoverOptions(selection=whose, endpoint=endpoint_here())
            self._mover = Mover(client, session_id, options, self._after_moves)

    def start(self) -> None:
        """Start the threads, and look for work at once."""
        if self._threads or self._concurrency < 1:
            return
        self._threads = [threading.Thread(target=self._courier.run, name="step courier", daemon=True)]
        for number in range(self._concurrency):
            self._threads.append(threading.Thread(target=self._work, name=f"step {number}", daemon=True))
        for thread in self._threads:
            thread.start()
        if self._mover is not None:
            self._mover.start()

    def wake(self) -> None:
        """Say that there may be steps to claim."""
        self._courier.wake()

    def wake_mover(self) -> None:
        """Say that there may be files to move."""
        if self._mover is not None:
            self._mover.wake()

    def _after_steps(self, reply: ReportReply) -> None:
        """What was done is often followed by the moving of files of the same job, and the other way round."""
        self.wake_mover()
        if self._on_reported is not None:
            self._on_reported(reply)

    def _after_moves(self, reply: ReportReply) -> None:
        self._courier.wake()
        if self._on_reported is not None:
            self._on_reported(reply)

    def lost(self, job_ids: Iterable[str]) -> None:
        """Say that the session may not hold these jobs any more; unknown ids are ignored.

        The steps of those that were killed, deleted or taken over are ended. A hook that has moved its own
        job is let finish.
        """
        self._courier.doubt(job_ids)

    def held_ids(self) -> list[str]:
        """Return the jobs this processor has claimed and not yet reported."""
        with self._changed:
            return self._load.job_ids()

    @contextmanager
    def holding(self) -> Iterator[list[str]]:
        """Give `held_ids`, to which none is added while the block runs: for `Client.reconcile`."""
        with self._courier.between_claims():
            yield self.held_ids()

    def is_working(self) -> bool:
        """Say whether all of its threads run."""
        has_mover = self._mover is None or self._mover.is_working()
        return has_mover and all(thread.is_alive() for thread in self._threads)

    def is_busy(self) -> bool:
        """Say whether a step, or the moving of a file, is claimed, under way or unreported."""
        return bool(self.held_ids()) or (self._mover is not None and bool(self._mover.held_ids()))

    def stop(self, timeout_sec: float = 10.0, *, drain_sec: float = 0.0) -> bool:
        """Claim nothing more, end what runs, hand it back, report; False when that did not succeed in time.

        Steps under way have ``drain_sec`` to end by themselves; the rest takes at most about ``timeout_sec``.
        """
        with self._changed:
            self._load.close()
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._load.running_ids(), drain_sec)
            self._load.interrupt(self._load.running_ids(), min(GRACE_SEC, timeout_sec / 2))
        deadline = time.monotonic() + timeout_sec
        if self._mover is not None:
            self._mover.stop(timeout_sec)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._courier.give_up()
        return not self.is_busy()

    def _work(self) -> None:
        while (task := self._next_task()) is not None:
            started = time.monotonic()
            result = perform(task.spec, task.interruption, hook_timeout_sec=self._hook_timeout_sec)
            with self._changed:
                self._load.finish(task, result, time.monotonic() - started)
                self._changed.notify_all()

    def _next_task(self) -> Task | None:
        """Wait for a step to do; None when there will be none."""
        with self._changed:
            while True:
                task = self._load.start_next()
                if task is not None or self._load.is_closed:
                    return task
                self._changed.wait()

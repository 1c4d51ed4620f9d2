"""Move the files of jobs, for a session that a launcher or an agent holds.

One thread talks to the database, at most ``concurrency`` others carry batches. What was claimed is reported,
handed back, or freed with the session: never forgotten.
"""

import threading
import time
from collections.abc import Callable, Sequence

from balsam.client import Client
from balsam.exceptions import StepInterrupted
from balsam.processing.interruption import Interruption
from balsam.processing.transfers.carrying import Carrier
from balsam.processing.transfers.courier import Listeners, MoverOptions, TransferCourier
from balsam.processing.transfers.load import TransferLoad
from balsam.processing.transfers.logins import Logins
from balsam.processing.transfers.planning import Plan
from balsam.schemas.sessions import ReportReply
from balsam.schemas.transfers import TransferResult, TransferSpec

__all__ = ["Mover"]

_GRACE_SEC = 1.0


class Mover:
    """Claims transfers, carries them, reports them. Every method may be called from any thread.

    ``on_reported`` is called after each report with the reply, ``on_trouble`` with what transfers wait for
    when that changes; both in a thread of the mover's: they must return soon.

    A session holds transfers, and not the jobs that wait for them: `Client.reconcile`, which frees jobs, has
    nothing to free here, and a claim hands out again what the session holds and the mover knows nothing of.
    """

    def __init__(
        self,
        client: Client,
        session_id: int,
        options: MoverOptions,
        on_reported: Callable[[ReportReply], None] | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self._concurrency = options.concurrency
        self._endpoint = options.endpoint
        self._logins = Logins()
        self._changed = threading.Condition()
        # All below is guarded by it.
        self._load = TransferLoad(options.concurrency, options.batch_size, options.query_limit)
        listeners = Listeners(on_reported, on_trouble, self._see_to_batches, self._end)
        self._courier = TransferCourier(client, session_id, options, self._load, self._changed, listeners)
        self._threads: list[threading.Thread] = []
        self._num_free = 0
        #: What is under way, and how it is told to end.
        self._begun: dict[Interruption, list[Plan]] = {}

    def start(self) -> None:
        """Start, and look for transfers at once."""
        self._add_thread(self._courier.run, "transfer courier")

    def wake(self) -> None:
        """Say that there may be transfers to claim."""
        self._courier.wake()

    def is_working(self) -> bool:
        """Say whether all of its threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def held_ids(self) -> list[int]:
        """Return the transfers that are claimed, under way or unreported."""
        with self._changed:
            return self._load.held_ids()

    def stop(self, timeout_sec: float = 10.0) -> bool:
        """Claim nothing more, end what runs, hand it back, report; False when that took too long."""
        with self._changed:
            self._load.close()
            self._end(min(_GRACE_SEC, timeout_sec / 2))
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_sec
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not self.held_ids()

    def _end(self, grace_sec: float = _GRACE_SEC) -> None:
        """Have what runs end; nothing is begun any more."""
        for interruption in self._begun:
            interruption.set(grace_sec)

    def _see_to_batches(self, unwanted: Sequence[int]) -> None:
        """Have new batches begun, and those end of which nobody wants what is left."""
        held = set(self._load.held_ids()) if unwanted else set()
        for interruption, plans in self._begun.items() if unwanted else ():
            ids = {one.spec.item_id for one in plans}
            if held.isdisjoint(ids) and not ids.isdisjoint(unwanted):
                interruption.set(_GRACE_SEC, is_unwanted=True)
        self._hire()

    def _hire(self) -> None:
        """Start as many threads as there are batches that nobody is free for."""
        num_workers = len(self._threads) - 1
        wanted = min(self._load.num_batches - self._num_free, self._concurrency - num_workers)
        for number in range(wanted):
            self._add_thread(self._work, f"transfer {num_workers + number}")

    def _add_thread(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (begun := self._next()) is not None:
            plans, interruption = begun
            Carrier(
                plans,
                self._logins,
                interruption,
                self._keep,
                self._note,
                self._courier.environ,
                endpoint=self._endpoint,
                on_notes=self._record,
                is_wanted=self._is_wanted,
            ).carry()
            with self._changed:
                del self._begun[interruption]

    def _next(self) -> tuple[list[Plan], Interruption] | None:
        """Wait for a batch, and begin it; None when there will be none."""
        with self._changed:
            self._num_free += 1
            self._changed.wait_for(lambda: self._load.num_batches or self._load.is_closed)
            self._num_free -= 1
            self._changed.notify_all()  # there is room for more
            plans = self._load.begin_next()
            if plans is None:
                return None
            interruption = Interruption()
            self._begun[interruption] = plans
            return plans, interruption

    def _is_wanted(self, spec: TransferSpec) -> bool:
        with self._changed:
            return self._load.holds(spec.item_id, spec.attempt)

    def _keep(self, result: TransferResult) -> None:
        with self._changed:
            is_first = not self._load.has_results
            self._load.keep(result)
            if is_first or self._load.is_telling_due:  # the others are told together with the first
                self._changed.notify_all()

    def _note(self, result: TransferResult) -> None:
        with self._changed:
            self._load.keep_progress(result)
            self._changed.notify_all()

    def _record(self, notes: Sequence[TransferResult]) -> None:
        """Return once notes are recorded; raises StepInterrupted when they will not be."""
        ids = {note.item_id for note in notes}
        with self._changed:
            self._load.note(notes)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._load.is_closed or not self._load.has_note_of(ids))
            if self._load.is_closed or not ids.issubset(self._load.held_ids()):
                raise StepInterrupted

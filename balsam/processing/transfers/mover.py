"""Move the files of jobs, for a session that a launcher or an agent holds.

One thread talks to the database, at most ``concurrency`` others carry batches. What was claimed is reported,
handed back, or freed with the session: never forgotten.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from balsam.client import Client
from balsam.exceptions import LeaseLostError, StepError, StepInterrupted, UsageError
from balsam.platform.transfer import Endpoint
from balsam.processing.interruption import Interruption
from balsam.processing.pacing import Pace
from balsam.processing.transfers.carrying import Carrier, given_up, handed_back
from balsam.processing.transfers.lanes import drop_old
from balsam.processing.transfers.logins import Logins
from balsam.processing.transfers.planning import Plan, batches, plan
from balsam.schemas.sessions import ReportReply, Selection
from balsam.schemas.transfers import TransferClaim, TransferClaimRequest, TransferResult, TransferSpec

__all__ = ["Mover", "MoverOptions"]

log = logging.getLogger(__name__)

_REPORT_LIMIT = 1_000
#: Results that are told at once; fewer wait this long for others since the last report.
_ENOUGH = 200
_TOGETHER_SEC = 0.1
_GRACE_SEC = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MoverOptions:
    """How much is done at once, and for whom.

    ``locations`` are those of the site's own settings; None: as its record has them.
    """

    selection: Selection = field(default_factory=Selection)
    concurrency: int = 5
    batch_size: int = 100
    query_limit: int = 2_000
    #: Look for transfers after this long without a word, in case a notice was missed.
    look_sec: float = 30.0
    locations: Mapping[str, str] | None = None
    endpoint: Endpoint = field(default_factory=Endpoint)


class Mover:
    """Claims transfers, carries them, reports them. Every method may be called from any thread.

    ``on_reported`` is called after each report with the reply, ``on_trouble`` with what transfers wait for
    when that changes; both in a thread of the mover's: they must return soon.
    """

    def __init__(
        self,
        client: Client,
        session_id: int,
        options: MoverOptions,
        on_reported: Callable[[ReportReply], None] | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> None:
        self._client = client
        self._session_id = session_id
        self._options = options
        self._on_reported = on_reported
        self._on_trouble = on_trouble
        self._trouble = ""
        self._logins = Logins()
        self._interruption = Interruption()
        self._changed = threading.Condition()
        # All below is guarded by it.
        self._held: dict[int, TransferSpec] = {}
        self._waiting: deque[list[Plan]] = deque()
        self._results: deque[TransferResult] = deque()
        #: Transfers of which a note is among the results.
        self._noted: set[int] = set()
        self._may_be_work = True
        self._look_at = 0.0
        self._reported_at = 0.0
        self._is_closed = False
        self._claim_pace = Pace()
        self._report_pace = Pace()
        self._environ: dict[str, str] = {}
        self._data_paths: set[str] = set()
        self._threads: list[threading.Thread] = []
        self._num_free = 0

    # -- life ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, and look for transfers at once."""
        self._add_thread(self._run, "transfer courier")

    def wake(self) -> None:
        """Say that there may be transfers to claim."""
        with self._changed:
            self._may_be_work = True
            self._changed.notify_all()

    def is_working(self) -> bool:
        """Say whether all of its threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def held_ids(self) -> list[int]:
        """Return the transfers that are claimed, under way or unreported."""
        with self._changed:
            return list(self._held)

    def stop(self, timeout_sec: float = 10.0) -> bool:
        """Claim nothing more, end what runs, hand it back, report; False when that took too long."""
        with self._changed:
            self._is_closed = True
            self._interruption.set(min(_GRACE_SEC, timeout_sec / 2))
            while self._waiting:
                for one in self._waiting.popleft():
                    self._results.append(handed_back(one.spec, ""))
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_sec
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not self.held_ids()

    def _add_thread(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    # -- the thread that talks to the database -----------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._wait():
                if self._is_report_due():
                    self._report()
                if self._wants_more():
                    self._claim()
        except LeaseLostError as error:
            log.warning("Transfers end here: %s", error)
            with self._changed:
                self._is_closed = True
                self._held.clear()
                self._waiting.clear()
                self._interruption.set(_GRACE_SEC)
                self._changed.notify_all()
        finally:
            self._client.transport.close()

    def _wait(self) -> bool:
        """Wait for something to report or claim; False when all is over."""
        with self._changed:
            while not (self._is_closed and not self._held):
                wait_sec = self._due_in_sec()
                if wait_sec <= 0:
                    return True
                self._changed.wait(wait_sec)
            return False

    def _due_in_sec(self) -> float:
        report_in_sec = self._report_in_sec()
        if not self._has_room():
            return report_in_sec
        claim_in_sec = 0.0 if self._may_be_work else self._look_at - time.monotonic()
        return min(report_in_sec, max(claim_in_sec, self._claim_pace.wait_sec))

    def _report_in_sec(self) -> float:
        """Results are told at once, or a few together while there are more to come."""
        if not self._results:
            return self._options.look_sec
        is_enough = len(self._results) >= _ENOUGH or len(self._results) == len(self._held) or self._is_closed
        together_sec = 0.0 if is_enough else self._reported_at + _TOGETHER_SEC - time.monotonic()
        return max(self._report_pace.wait_sec, together_sec)

    def _has_room(self) -> bool:
        return not self._is_closed and len(self._waiting) < self._options.concurrency

    def _is_report_due(self) -> bool:
        with self._changed:
            return bool(self._results) and self._report_in_sec() <= 0

    def _wants_more(self) -> bool:
        with self._changed:
            return self._has_room() and (
                (self._may_be_work or time.monotonic() >= self._look_at) and self._claim_pace.wait_sec <= 0
            )

    def _claim(self) -> None:
        whose = self._options.selection
        with self._changed:
            self._may_be_work = False
            limit = self._options.query_limit - len(self._held)
            held = tuple(self._held)
        if limit <= 0:
            return
        request = TransferClaimRequest(
            session_id=self._session_id,
            limit=limit,
            held=held,
            workflow=whose.workflow,
            site_id=whose.site_id,
            tags=whose.tags,
        )
        try:
            claim = self._client.claim_transfers(request)
        except LeaseLostError:
            raise
        except Exception:
            log.warning("Cannot claim transfers; trying again soon", exc_info=True)
            with self._changed:
                self._may_be_work = True
                self._claim_pace.failed()
            return
        self._admit(claim, is_full=len(claim.items) == limit)

    def _admit(self, claim: TransferClaim, *, is_full: bool) -> None:
        for data_path in {spec.data_path for spec in claim.items} - self._data_paths:
            self._data_paths.add(data_path)
            drop_old(data_path)
        with self._changed:
            self._held |= {spec.item_id: spec for spec in claim.items}
        planned = [self._planned(spec) for spec in claim.items]
        with self._changed:
            self._environ = {"BALSAM_SESSION": claim.mark}
            self._claim_pace.succeeded()
            look_sec = self._options.look_sec
            next_sec = look_sec if claim.next_sec is None else min(look_sec, claim.next_sec)
            self._look_at = time.monotonic() + next_sec
            self._may_be_work |= is_full
            self._results += [one for one in planned if isinstance(one, TransferResult)]
            plans = [one for one in planned if isinstance(one, Plan)]
            self._waiting += batches(plans, self._options.batch_size)
            self._hire()
            self._changed.notify_all()

    def _hire(self) -> None:
        """Start as many threads as there are batches that nobody is free for."""
        num_workers = len(self._threads) - 1
        wanted = min(len(self._waiting) - self._num_free, self._options.concurrency - num_workers)
        for number in range(wanted):
            self._add_thread(self._work, f"transfer {num_workers + number}")

    def _planned(self, spec: TransferSpec) -> Plan | TransferResult:
        """Plan a transfer, or return its result where that shows already that it cannot be done."""
        try:
            return plan(spec, self._options.locations)
        except (UsageError, StepError) as error:
            return given_up(spec, str(error))
        except OSError as error:
            return given_up(spec, f"Its files cannot be looked at: {error}")

    def _report(self) -> None:
        with self._changed:
            count = 1 if self._report_pace.has_failed else _REPORT_LIMIT
            results = [self._results[n] for n in range(min(count, len(self._results)))]
        try:
            reply = self._client.report_transfers(self._session_id, results)
        except LeaseLostError:
            raise
        except Exception:
            log.warning("Cannot report %d transfers; trying again soon", len(results), exc_info=True)
            with self._changed:
                self._report_pace.failed()
                self._results.rotate(-len(results))
            return
        with self._changed:
            self._report_pace.succeeded()
            self._reported_at = time.monotonic()
            self._may_be_work |= reply.released > 0
            for result in results:
                self._results.popleft()
                if result.state != "active" or str(result.item_id) in reply.late:
                    self._held.pop(result.item_id, None)
                self._noted.discard(result.item_id)
            self._look_at = min(
                [self._look_at, *(time.monotonic() + r.retry_sec for r in results if r.state == "inactive")]
            )
            self._changed.notify_all()
        self._note_trouble(results)
        self._tell(reply)

    def _note_trouble(self, results: list[TransferResult]) -> None:
        """Tell what transfers wait for, once; '' when some are done again."""
        waits = [r.message for r in results if r.state == "inactive" and not r.is_failure]
        is_well = any(r.state == "done" for r in results)
        trouble = waits[0] if waits else "" if is_well else self._trouble
        if trouble != self._trouble and self._on_trouble is not None:
            self._on_trouble(trouble)
        self._trouble = trouble

    def _tell(self, reply: ReportReply) -> None:
        if self._on_reported is None:
            return
        try:
            self._on_reported(reply)
        except Exception:
            log.exception("The report of %d transfers could not be passed on", reply.applied)

    # -- the threads that carry ------------------------------------------------------------------------

    def _work(self) -> None:
        while (plans := self._next()) is not None:
            Carrier(
                plans,
                self._logins,
                self._interruption,
                self._keep,
                self._environ,
                endpoint=self._options.endpoint,
                on_notes=self._record,
            ).carry()

    def _next(self) -> list[Plan] | None:
        with self._changed:
            self._num_free += 1
            self._changed.wait_for(lambda: self._waiting or self._is_closed)
            self._num_free -= 1
            if not self._waiting:
                return None
            self._changed.notify_all()  # there is room for more
            return self._waiting.popleft()

    def _keep(self, result: TransferResult) -> None:
        with self._changed:
            if result.item_id in self._held:
                self._results.append(result)
                self._changed.notify_all()

    def _record(self, notes: Sequence[TransferResult]) -> None:
        """Return once notes are recorded; raises StepInterrupted when they will not be."""
        ids = {note.item_id for note in notes}
        with self._changed:
            self._noted |= ids
            self._results += notes
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._noted.isdisjoint(ids) or self._is_closed)
            if self._is_closed or not ids <= self._held.keys():
                raise StepInterrupted

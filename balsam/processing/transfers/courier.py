"""Carry transfers from the database into a load, and results back; one thread makes all the calls."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from balsam.client import Client
from balsam.exceptions import StepError, UsageError
from balsam.platform.transfer import Endpoint
from balsam.processing.errands import Errand, Errands
from balsam.processing.transfers.lanes import drop_old
from balsam.processing.transfers.load import TransferLoad
from balsam.processing.transfers.outcomes import given_up
from balsam.processing.transfers.planning import Plan, namesakes, plan
from balsam.schemas.sessions import ReportReply, Selection
from balsam.schemas.transfers import TransferClaim, TransferClaimRequest, TransferResult, TransferSpec
from balsam.states import TransferState

__all__ = ["MoverOptions", "TransferCourier"]

_REPORT_LIMIT = 1_000
#: Fewer than enough results wait this long for others.
_TOGETHER_SEC = 0.2
#: Between two words of how much has come of what is under way.
_PROGRESS_SEC = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MoverOptions:
    """How much is done at once, and for whom.

    ``locations`` are those of the site's own settings; None: as its record has them.
    """

    selection: Selection = field(default_factory=Selection)
    concurrency: int = 5
    batch_size: int = 1_000
    query_limit: int = 2_000
    #: Look for transfers after this long without a word, in case a notice was missed.
    look_sec: float = 30.0
    locations: Mapping[str, str] | None = None
    endpoint: Endpoint = field(default_factory=Endpoint)


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told: replies to reports, what transfers wait for, what to do, the loss of the session."""

    on_reported: Callable[[ReportReply], None] | None
    on_trouble: Callable[[str], None] | None
    #: There may be new batches; told which transfers nobody wants any more.
    on_claimed: Callable[[Sequence[int]], None]
    on_lost: Callable[[], None]


class TransferCourier(Errands):
    """Claims for, and reports from, a load; ``changed`` guards the load too."""

    what = "Transfers"

    def __init__(
        self,
        client: Client,
        session_id: int,
        options: MoverOptions,
        load: TransferLoad,
        changed: threading.Condition,
        listeners: Listeners,
    ) -> None:
        super().__init__(client, session_id, changed, listeners.on_reported)
        self._options = options
        self._load = load
        self._listeners = listeners
        self._look_at = 0.0
        self._progress_at = 0.0
        self._trouble = ""
        self._data_paths: set[str] = set()
        #: For programs that move files: whose they are.
        self.environ: Mapping[str, str] = {}

    @property
    def _errands(self) -> Sequence[Errand]:
        return (
            (self._report, self._report_in_sec),
            (self._tell_progress, self._progress_in_sec),
            (self._claim, self._claim_in_sec),
        )

    def _is_over(self) -> bool:
        return self._load.is_closed and not self._load.held_ids()

    def _abandon(self) -> None:
        self._load.abandon()
        self._listeners.on_lost()

    # -- when ------------------------------------------------------------------------------------------

    def _report_in_sec(self) -> float:
        """Results are told at once when they are all or enough, else with those that come soon."""
        if not self._load.has_results:
            return self._options.look_sec
        until = 0.0 if self._load.is_telling_due else self._load.results_since + _TOGETHER_SEC
        return max(self._report_pace.wait_sec, until - time.monotonic())

    def _progress_in_sec(self) -> float:
        if not self._load.has_progress:
            return self._options.look_sec
        return max(self._report_pace.wait_sec, self._progress_at + _PROGRESS_SEC - time.monotonic())

    def _claim_in_sec(self) -> float:
        if not self._load.room:
            return self._options.look_sec
        until = 0.0 if self._may_be_work else self._look_at - time.monotonic()
        return max(until, self._claim_pace.wait_sec)

    # -- what ------------------------------------------------------------------------------------------

    def _claim(self) -> None:
        whose = self._options.selection
        began = time.monotonic()
        with self._changed:
            self._may_be_work = False
            request = TransferClaimRequest(
                session_id=self._session_id,
                limit=self._load.room,
                held=tuple(self._load.held_ids()),
                workflow=whose.workflow,
                site_id=whose.site_id,
                tags=whose.tags,
            )
        if not request.limit:
            return
        claim = self._attempt(
            self._claim_pace, "claim transfers", lambda: self._client.claim_transfers(request)
        )
        if claim is None:
            with self._changed:
                self._may_be_work = True
            return
        # After one in vain the next waits: results that are told one after the other wake it each time.
        self._claim_pace.succeeded(0.0 if claim.items else 5 * (time.monotonic() - began))
        self._admit(claim, is_full=len(claim.items) == request.limit)

    def _admit(self, claim: TransferClaim, *, is_full: bool) -> None:
        for data_path in {spec.data_path for spec in claim.items} - self._data_paths:
            self._data_paths.add(data_path)
            drop_old(data_path)
        with self._changed:
            self._load.hold(claim.items)
        planned = self._plan_all(claim.items)
        with self._changed:
            self.environ = {"BALSAM_SESSION": claim.mark}
            look_sec = self._options.look_sec
            next_sec = look_sec if claim.next_sec is None else min(look_sec, claim.next_sec)
            self._look_at = time.monotonic() + next_sec
            self._may_be_work |= is_full
            self._load.add(planned)
            self._load.drop(claim.unwanted)
            self._listeners.on_claimed(claim.unwanted)
            self._changed.notify_all()

    def _plan_all(self, specs: Sequence[TransferSpec]) -> list[Plan | TransferResult]:
        planned = [self._planned(spec) for spec in specs]
        clashes = namesakes(one for one in planned if isinstance(one, Plan))
        return [
            given_up(one.spec, clashes[one.spec.item_id])
            if isinstance(one, Plan) and one.spec.item_id in clashes
            else one
            for one in planned
        ]

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
            # One at a time after a failure: if it was the fault of one result, the others get through.
            results = self._load.take_results(1 if self._report_pace.has_failed else _REPORT_LIMIT)
        reply = self._send(results)
        with self._changed:
            if reply is None:
                self._load.put_off(results)
                return
            self._report_pace.succeeded()
            self._may_be_work |= reply.released > 0
            self._load.reported(results, reply.late)
            now = time.monotonic()
            again = (now + r.retry_sec for r in results if r.state == TransferState.INACTIVE)
            self._look_at = min([self._look_at, *again])
            self._changed.notify_all()
        self._note_trouble(results)
        self._tell(reply)

    def _tell_progress(self) -> None:
        """Tell how much has come; what could not be told is told with the next."""
        with self._changed:
            self._progress_at = time.monotonic()
            results = self._load.take_progress()
        self._send(results)

    def _send(self, results: Sequence[TransferResult]) -> ReportReply | None:
        return self._attempt(
            self._report_pace,
            f"report {len(results)} transfers",
            lambda: self._client.report_transfers(self._session_id, results),
        )

    def _note_trouble(self, results: Sequence[TransferResult]) -> None:
        """Tell what transfers wait for, once; '' when some are done again."""
        waits = [r.message for r in results if r.state == TransferState.INACTIVE and not r.is_failure]
        is_well = any(r.state == TransferState.DONE for r in results)
        trouble = waits[0] if waits else "" if is_well else self._trouble
        if trouble != self._trouble and self._listeners.on_trouble is not None:
            self._listeners.on_trouble(trouble)
        self._trouble = trouble

"""Carry steps from the database into a workload, and results back.

All database calls are made by the one thread that is in `Courier.run`. A result stays in the workload until
the database has taken it.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from balsam.client import Client
from balsam.processing.errands import Errand, Errands
from balsam.processing.pacing import Pace
from balsam.processing.workload import Workload
from balsam.schemas.sessions import ReportReply, Selection, StepClaimRequest

__all__ = ["Courier"]

#: Look for steps, and for revoked ones, after this long without a word, in case a notice was missed.
LOOK_SEC = 30.0
#: Results in one report.
_REPORT_LIMIT = 500


class Courier(Errands):
    """Claims for, and reports from, a workload; ``changed`` guards the workload too."""

    what = "Hooks and staging"

    def __init__(
        self,
        client: Client,
        session_id: int,
        selection: Selection,
        load: Workload,
        changed: threading.Condition,
        on_reported: Callable[[ReportReply], None] | None,
    ) -> None:
        super().__init__(client, session_id, changed, on_reported)
        self._selection = selection
        self._load = load
        #: Held while a claim is under way. Taken before ``changed``.
        self._claiming = threading.Lock()
        self._is_given_up = False
        self._looked_at = 0.0
        #: Jobs whose step under way may have been revoked.
        self._doubted: set[str] = set()
        self._checked_at = 0.0
        self._check_pace = Pace()

    @property
    def _errands(self) -> Sequence[Errand]:
        return (
            (self._check, self._check_in_sec),
            (self._report, self._report_in_sec),
            (self._claim, self._claim_in_sec),
        )

    def doubt(self, job_ids: Iterable[str]) -> None:
        """Say that the session may not hold these jobs any more: what was revoked of them will be ended."""
        doubted = list(job_ids)
        with self._changed:
            self._load.drop_waiting(doubted)
            self._doubted.update(doubted)
            self._changed.notify_all()

    def give_up(self) -> None:
        """Leave `run` even though results have not been reported."""
        with self._changed:
            self._is_given_up = True
            self._changed.notify_all()

    @contextmanager
    def between_claims(self) -> Iterator[None]:
        """Keep claims from beginning; waits for the end of one that is under way."""
        with self._claiming:
            yield

    def _is_over(self) -> bool:
        return self._is_given_up or (self._load.is_closed and not self._load.job_ids())

    def _abandon(self) -> None:
        self._load.abandon()

    def _check_in_sec(self) -> float:
        running = self._load.running_ids()
        self._doubted.intersection_update(running)
        if not running:
            self._checked_at = time.monotonic()
        until_look_sec = 0.0 if self._doubted else self._checked_at + LOOK_SEC - time.monotonic()
        return max(until_look_sec, self._check_pace.wait_sec)

    def _report_in_sec(self) -> float:
        return self._report_pace.wait_sec if self._load.has_results else LOOK_SEC

    def _claim_in_sec(self) -> float:
        if not self._load.room:
            return LOOK_SEC
        until_look_sec = 0.0 if self._may_be_work else self._looked_at + LOOK_SEC - time.monotonic()
        return max(until_look_sec, self._claim_pace.wait_sec)

    def _check(self) -> None:
        """Have those steps end that were revoked."""
        with self._changed:
            doubted = sorted(self._doubted) or self._load.running_ids()
            asked_at = time.monotonic()
        revoked = self._attempt(
            self._check_pace,
            "ask for revoked jobs",
            lambda: self._client.revoked_steps(self._session_id, doubted),
        )
        if revoked is None:
            return
        with self._changed:
            self._doubted.difference_update(doubted)
            self._check_pace.succeeded()
            self._checked_at = asked_at
            self._load.interrupt(revoked)

    def _claim(self) -> None:
        with self._claiming:
            with self._changed:
                limit = self._load.room
                if not limit:
                    return
                self._may_be_work = False
                self._looked_at = time.monotonic()
            request = StepClaimRequest(
                session_id=self._session_id,
                limit=limit,
                workflow=self._selection.workflow,
                site_id=self._selection.site_id,
                tags=self._selection.tags,
            )
            specs = self._attempt(
                self._claim_pace, "claim hooks and staging", lambda: self._client.claim_steps(request)
            )
            with self._changed:
                if specs is None:
                    self._may_be_work = True
                    return
                self._load.add(specs)
                self._may_be_work |= len(specs) == limit
                cost_sec = time.monotonic() - self._looked_at
                self._claim_pace.succeeded(0.0 if specs else max(0.01, 5 * cost_sec))
                self._changed.notify_all()

    def _report(self) -> None:
        with self._changed:
            # One at a time after a failure: if it was the fault of one result, the others get through.
            results = self._load.take_results(1 if self._report_pace.has_failed else _REPORT_LIMIT)
        reply = self._attempt(
            self._report_pace,
            f"report {len(results)} steps",
            lambda: self._client.report_steps(self._session_id, results),
        )
        with self._changed:
            if reply is None:
                self._load.put_off(results)
                return
            self._load.reported(results)
            self._report_pace.succeeded()
            # What was done is often followed by another step of the same job.
            self._may_be_work |= reply.applied > 0
            self._changed.notify_all()
        self._tell(reply)

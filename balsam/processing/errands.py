"""One thread that makes calls to the database, each when it is due, and makes those again that failed.

What is claimed and what is reported is the business of whoever has the errands.
"""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from balsam.client import Client
from balsam.exceptions import LeaseLostError
from balsam.processing.pacing import Pace
from balsam.schemas.sessions import ReportReply

__all__ = ["Errand", "Errands"]

T = TypeVar("T")
log = logging.getLogger(__name__)

#: A call to make, and in how many seconds it is due.
Errand = tuple[Callable[[], None], Callable[[], float]]


class Errands(ABC):
    """Calls for one session; ``changed`` guards all that is in here, and is notified of what is due."""

    #: What ends with the lease, for messages.
    what = "Errands"

    def __init__(
        self,
        client: Client,
        session_id: int,
        changed: threading.Condition,
        on_reported: Callable[[ReportReply], None] | None,
    ) -> None:
        self._client = client
        self._session_id = session_id
        self._changed = changed
        self._on_reported = on_reported
        self._may_be_work = True
        self._claim_pace = Pace()
        self._report_pace = Pace()

    @property
    @abstractmethod
    def _errands(self) -> Sequence[Errand]:
        """What there is to call; what frees somebody comes first."""

    @abstractmethod
    def _is_over(self) -> bool:
        """Say whether there will be nothing to call any more."""

    @abstractmethod
    def _abandon(self) -> None:
        """Forget all, since the session is somebody else's."""

    def wake(self) -> None:
        """Say that there may be something to claim."""
        with self._changed:
            self._may_be_work = True
            self._changed.notify_all()

    def run(self) -> None:
        """Make the calls until all is over; closes this thread's connection."""
        errands = self._errands
        try:
            while self._wait(errands):
                for call, due_in_sec in errands:
                    if self._is_due(due_in_sec):
                        call()
        except LeaseLostError as error:
            log.warning("%s end here: %s", self.what, error)
            with self._changed:
                self._abandon()
                self._changed.notify_all()
        finally:
            self._client.transport.close()

    def _wait(self, errands: Sequence[Errand]) -> bool:
        """Wait until something is due; False when all is over."""
        with self._changed:
            while not self._is_over():
                wait_sec = min(due_in_sec() for _, due_in_sec in errands)
                if wait_sec <= 0:
                    return True
                self._changed.wait(wait_sec)
            return False

    def _is_due(self, due_in_sec: Callable[[], float]) -> bool:
        with self._changed:
            return due_in_sec() <= 0

    def _attempt(self, pace: Pace, what: str, call: Callable[[], T]) -> T | None:
        """Make a call; None when it failed, to be made again. Only LeaseLostError passes through."""
        try:
            return call()
        except LeaseLostError:
            raise
        except Exception:
            log.warning("Cannot %s; trying again soon", what, exc_info=True)
            with self._changed:
                pace.failed()
            return None

    def _tell(self, reply: ReportReply) -> None:
        if self._on_reported is None:
            return
        try:
            self._on_reported(reply)
        except Exception:
            log.exception("A report of %d could not be passed on", reply.applied)

"""Wait for jobs to end, woken by the database's word rather than by a clock."""

import time
import uuid
from collections.abc import Callable, Iterable

from balsam.core import notices
from balsam.core.listening import DatabaseListener
from balsam.core.models import BalsamJob
from balsam.exceptions import DatabaseUnreachable
from balsam.states import END_STATES, JobState

#: A look costs a query, so a flood of ends does not cause a flood of looks.
_SHORTEST_PAUSE_SEC = 0.02


def ends(job_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, JobState]:
    """Return the states of those of these jobs that have ended; a deleted one counts as killed."""
    wanted = list(job_ids)
    states = dict(BalsamJob.objects.filter(pk__in=wanted).values_list("job_id", "state"))
    known = {job_id: JobState(states.get(job_id, JobState.USER_KILLED)) for job_id in wanted}
    return {job_id: state for job_id, state in known.items() if state in END_STATES}


def wait_for_ends(is_over: Callable[[], bool], timeout_sec: float | None, period_sec: float) -> bool:
    """Call ``is_over`` after each end of any job, and every ``period_sec``, until it is true; return that.

    Returns False after ``timeout_sec`` (None: never).
    """
    deadline = float("inf") if timeout_sec is None else time.monotonic() + timeout_sec
    if is_over():
        return True
    word = _Word()
    try:
        while not is_over():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            word.wait(min(left, max(period_sec, _SHORTEST_PAUSE_SEC)))
        return True
    finally:
        word.close()


class _Word:
    """The stream of ends; where it breaks, time alone passes until it is there again."""

    def __init__(self) -> None:
        self._listener: DatabaseListener | None = None
        self._listen()

    def wait(self, longest_sec: float) -> None:
        """Return when a job has ended, or after this long."""
        start = time.monotonic()
        while (left := longest_sec - (time.monotonic() - start)) > 0:
            try:
                if self._listener is not None and notices.END in self._listener.wait(left):
                    break
            except DatabaseUnreachable:
                self.close()
            if self._listener is None:
                time.sleep(left)
                self._listen()
        time.sleep(min(_SHORTEST_PAUSE_SEC, max(0.0, left)))

    def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _listen(self) -> None:
        try:
            self._listener = DatabaseListener()
        except DatabaseUnreachable:
            self._listener = None

"""The loop that asks the scheduler about batch jobs, again and again while any is live."""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from balsam.agent.health import Board
from balsam.batch import Desk, refresh
from balsam.exceptions import BalsamError
from balsam.platform.scheduler import QueuedBatchJob

__all__ = ["SchedulerSync"]

logger = logging.getLogger(__name__)

_PERIOD_SEC = 10.0
#: With no live batch job, nothing is waited for; the planner asks anew before it submits.
_IDLE_PERIOD_SEC = 60.0


class SchedulerSync:
    """Keeps the batch jobs of the database as the scheduler has them.

    An answer that cannot be read changes nothing and counts as a failure of the cycle. ``on_ended`` is called
    when batch jobs have ended.
    """

    name = "scheduler"
    spacing_sec = 2.0

    def __init__(
        self,
        open_desk: Callable[[], Desk],
        board: Board,
        on_ended: Callable[[], None],
        *,
        period_sec: float = _PERIOD_SEC,
    ) -> None:
        self._open_desk = open_desk
        self._period_sec = period_sec
        self._board = board
        self._on_ended = on_ended
        self._one_at_a_time = threading.Lock()
        self._read_at = -float("inf")
        self._listed: Mapping[str, QueuedBatchJob] = {}

    def cycle(self) -> float:
        """Ask once."""
        desk = self._refresh()
        is_live = any(info.from_balsam and desk.is_ours(info) for info in desk.client.batch_jobs())
        return self._period_sec if is_live else _IDLE_PERIOD_SEC

    @property
    def listed(self) -> Mapping[str, QueuedBatchJob]:
        """What the scheduler has of the user's, of whatever site, as it was listed last: by its number."""
        return self._listed

    def be_fresh(self, max_age_sec: float) -> bool:
        """See to it that what is known is no older; say whether the scheduler had to be asked.

        Raises BalsamError when it cannot be read.
        """
        is_old = time.monotonic() - self._read_at > max_age_sec
        if is_old:
            self._refresh()
        return is_old

    def interrupt(self) -> None:
        """A command of the scheduler has a time limit of its own."""

    def close(self) -> None:
        """Nothing is held."""

    def _refresh(self) -> Desk:
        with self._one_at_a_time:
            began = time.monotonic()
            desk = self._open_desk()
            refreshed = refresh(desk)
            self._board.say(scheduler=desk.adapter.name, scheduler_problem=refreshed.problem)
            for twin in refreshed.cancelled_twins:
                logger.warning("Batch job %s was submitted twice; it is cancelled", twin)
            if refreshed.ended:
                self._tell_ended(desk, refreshed.ended)
            if not refreshed.listing.is_complete:
                raise BalsamError(f"The scheduler ({desk.adapter.name}) cannot be read: {refreshed.problem}")
            self._read_at = began
            self._listed = refreshed.listing.jobs
            return desk

    def _tell_ended(self, desk: Desk, ids: tuple[int, ...]) -> None:
        for info in desk.client.batch_jobs(live_only=False, ids=ids):
            if info.from_balsam:
                reason = f": {info.reason}" if info.reason else ""
                logger.info(
                    "Batch job %s in %s has ended (%s)%s", info.scheduler_id, info.queue, info.end, reason
                )
        self._on_ended()

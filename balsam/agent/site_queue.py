"""The loop that submits the batch jobs which users ask for at a site."""

import logging
from collections.abc import Callable, Mapping, Sequence

from balsam.agent.health import Board
from balsam.agent.sync import SchedulerSync
from balsam.batch import Desk, submit
from balsam.client import Client
from balsam.config.site_record import limits_record
from balsam.config.site_settings import SchedulerSettings, Settings
from balsam.exceptions import BalsamError
from balsam.platform.scheduler import QueuedBatchJob
from balsam.schemas.batch_jobs import BatchJobInfo
from balsam.schemas.batch_limits import BatchLimits
from balsam.states import BatchJobState

__all__ = ["SiteQueue"]

logger = logging.getLogger(__name__)

_FRESH_SEC = 5.0
_LIVE = (BatchJobState.QUEUED, BatchJobState.RUNNING, BatchJobState.PENDING_DELETION)


class SiteQueue:
    """Submits what is pending, oldest first; what the settings do not allow is refused with the reason.

    Where a queue has as many batch jobs as it takes, a batch job waits, and says so.
    """

    name = "launches"
    spacing_sec = 1.0

    def __init__(
        self,
        client: Client,
        site_id: int,
        settings: Settings,
        open_desk: Callable[[], Desk],
        sync: SchedulerSync,
        board: Board,
    ) -> None:
        self._client = client
        self._site_id = site_id
        self._settings = settings
        self._rules = settings.scheduler or SchedulerSettings()
        self._limits = BatchLimits(**limits_record(self._rules))
        self._open_desk = open_desk
        self._sync = sync
        self._board = board
        self._is_stopped = False

    def cycle(self) -> float:
        """Submit what can be submitted now."""
        waiting = 0
        desk, live = self._open_desk(), self._live()
        for info in [info for info in live.values() if self._is_pending(info)]:
            if self._is_stopped:
                break
            if info.submit_began is None:
                if problem := self._limits.refusal(info):
                    self._client.refuse_submission(info.batch_job_id, problem)
                    logger.warning("Batch job %d is refused: %s", info.batch_job_id, problem)
                    continue
                if self._sync.be_fresh(_FRESH_SEC):
                    live = self._live()
                if problem := self._no_room([other for other in live.values() if desk.is_ours(other)], info):
                    self._let_wait(info, problem)
                    waiting += 1
                    continue
            if after := self._submit(desk, info):
                live[after.batch_job_id] = after
        self._board.say(waits_for=f"room in queues for {waiting} batch jobs" if waiting else "")
        return self._rules.sync_period

    def interrupt(self) -> None:
        """Submit nothing more."""
        self._is_stopped = True

    def close(self) -> None:
        """Nothing is held."""

    def _live(self) -> dict[int, BatchJobInfo]:
        """Read the batch jobs that have not ended, in order of creation."""
        return {info.batch_job_id: info for info in self._client.batch_jobs()}

    def _is_pending(self, info: BatchJobInfo) -> bool:
        """Say whether one is of this site, with at least the agent's tags, and to be submitted."""
        return (
            info.state is BatchJobState.PENDING_SUBMISSION
            and info.site_id == self._site_id
            and info.from_balsam
            and self._settings.filter_tags.items() <= info.filter_tags.items()
        )

    def _no_room(self, ours: Sequence[BatchJobInfo], info: BatchJobInfo) -> str:
        """Say why a queue takes no more for now, of these batch jobs at the scheduler; '' when it does."""
        limits = self._rules.allowed_queues.get(info.queue)
        live = _in_queue(ours, self._sync.listed, info.queue)
        if limits is None or live < limits.max_queued_jobs:
            return ""
        return f"Waits: the queue {info.queue} has {live} of {limits.max_queued_jobs} batch jobs"

    def _let_wait(self, info: BatchJobInfo, problem: str) -> None:
        if info.reason != problem:
            logger.info("Batch job %d: %s", info.batch_job_id, problem)
            self._client.doubt_submission(info.batch_job_id, problem)

    def _submit(self, desk: Desk, info: BatchJobInfo) -> BatchJobInfo | None:
        """Submit one; return it as it is then, None when that cannot be tried."""
        try:
            after = submit(desk, info.batch_job_id)
        except BalsamError as error:
            logger.warning("Batch job %d cannot be submitted: %s", info.batch_job_id, error)
            return None
        if after.state is BatchJobState.PENDING_SUBMISSION:
            logger.warning("Batch job %d: nobody knows yet (%s)", info.batch_job_id, after.reason)
        elif after.state is BatchJobState.SUBMIT_FAILED:
            logger.warning("Batch job %d is refused: %s", info.batch_job_id, after.reason)
        else:
            logger.info("Batch job %d: the scheduler has it as %s", info.batch_job_id, after.scheduler_id)
        return after


def _in_queue(ours: Sequence[BatchJobInfo], listed: Mapping[str, QueuedBatchJob], queue: str) -> int:
    """Count the user's batch jobs in a queue: the site's own, and what else its scheduler has listed."""
    known = {info.scheduler_id for info in ours}
    own = sum(info.queue == queue and bool(info.scheduler_id) and info.state in _LIVE for info in ours)
    others = (job for number, job in listed.items() if number not in known)
    return own + sum(job.queue == queue and job.state in _LIVE for job in others)

"""Find launches of the service that came to nothing, so that they are not repeated in a tight loop."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from balsam.agent.patience import Patience
from balsam.client import Client
from balsam.lib.durations import human_duration
from balsam.schemas.batch_jobs import BatchJobInfo
from balsam.schemas.batch_limits import ASKED_QUEUE
from balsam.states import BatchJobState

__all__ = ["VainLaunches"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Watched:
    queue: str
    #: The last event of the database before it could run anything.
    event: int


class VainLaunches:
    """Watches the service's launches from their intent to their end."""

    def __init__(self, client: Client, patience: Patience) -> None:
        self._client = client
        self._patience = patience
        self._watched: dict[int, _Watched] = {}

    def watch(self, info: BatchJobInfo) -> None:
        """Watch a launch that has just been intended."""
        event = self._client.runs_since(0, info.as_of).last_event
        self._watched[info.batch_job_id] = _Watched(info.queue, event)

    def look(self, live: Iterable[BatchJobInfo]) -> None:
        """Judge the launches that are no longer live; those of a service before this one are watched too."""
        ids = set()
        for info in live:
            ids.add(info.batch_job_id)
            if ASKED_QUEUE in info.optional_params and info.batch_job_id not in self._watched:
                self._watched[info.batch_job_id] = _Watched(info.optional_params[ASKED_QUEUE], 0)
        gone = [batch_job_id for batch_job_id in self._watched if batch_job_id not in ids]
        if gone:
            for info in self._client.batch_jobs(live_only=False, ids=gone):
                self._judge(info, self._watched[info.batch_job_id])
        for batch_job_id in gone:
            del self._watched[batch_job_id]

    def _judge(self, info: BatchJobInfo, watched: _Watched) -> None:
        if info.state is BatchJobState.SUBMIT_FAILED:
            reason = f"{info.scheduler} refused a launch: {info.reason}"
        elif self._client.runs_since(watched.event, info.submitted or info.created).has_run:
            self._patience.succeeded(watched.queue)
            return
        else:
            why = f"{info.end}: {info.reason}" if info.reason else f"{info.end}"
            reason = f"batch job {info.scheduler_id or info.batch_job_id} ended ({why}) and had run no job"
        pause_sec = self._patience.failed(watched.queue, reason, info.age_sec(info.created))
        logger.warning(
            "Queue %s: %s. Nothing is submitted to it for %s",
            watched.queue,
            reason,
            human_duration(pause_sec),
        )

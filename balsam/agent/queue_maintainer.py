"""The loop that keeps a number of equal batch jobs in a queue."""

import logging
from collections.abc import Callable

from balsam.client import Client
from balsam.config.site_settings import QueueMaintainerSettings, Settings
from balsam.schemas.batch_jobs import BatchJobRequest
from balsam.schemas.batch_limits import ASKED_BY

__all__ = ["QueueMaintainer"]

logger = logging.getLogger(__name__)


class QueueMaintainer:
    """Asks for one batch job in each cycle, while fewer of its own are live than there should be."""

    name = "queue maintainer"
    spacing_sec = 1.0

    def __init__(
        self, client: Client, site_id: int, settings: Settings, on_asked: Callable[[], None]
    ) -> None:
        self._client = client
        self._site_id = site_id
        self._tags = settings.filter_tags
        self._settings = settings.queue_maintainer or QueueMaintainerSettings()
        self._on_asked = on_asked

    def cycle(self) -> float:
        """Look once."""
        settings = self._settings
        live = sum(
            info.site_id == self._site_id and info.optional_params.get(ASKED_BY) == self.name
            for info in self._client.batch_jobs()
        )
        if live < settings.num_queued_jobs:
            request = BatchJobRequest(
                scheduler="",
                site_id=self._site_id,
                project=settings.submit_project,
                queue=settings.submit_queue,
                num_nodes=settings.num_nodes,
                wall_time_min=settings.wall_time_min,
                job_mode=settings.job_mode,
                filter_tags=self._tags,
                optional_params={ASKED_BY: self.name},
            )
            made = self._client.intend_batch_job(request)
            logger.info("Batch job %d is number %d in the queue", made.batch_job_id, live + 1)
            self._on_asked()
        return settings.submit_period

    def interrupt(self) -> None:
        """A cycle takes no time."""

    def close(self) -> None:
        """Nothing is held."""

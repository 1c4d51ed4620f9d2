"""The loop that asks for as many nodes as a site has work for, and takes back what waits too long."""

import logging
from collections.abc import Callable, Sequence

from balsam.agent.elastic_sizing import Load, size_of
from balsam.batch import Desk, cancel
from balsam.client import Client
from balsam.config.site_settings import ElasticQueueSettings, Settings
from balsam.platform.scheduler.contract import BackfillWindow
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobRequest, DemandRequest
from balsam.schemas.batch_limits import ASKED_BY
from balsam.states import BatchJobState

__all__ = ["ElasticQueue"]

logger = logging.getLogger(__name__)


class ElasticQueue:
    """Asks for one batch job in each cycle."""

    name = "elastic queue"

    def __init__(
        self,
        client: Client,
        site_id: int,
        settings: Settings,
        open_desk: Callable[[], Desk],
        on_asked: Callable[[], None],
    ) -> None:
        self._client = client
        self._site_id = site_id
        self._tags = settings.filter_tags
        self._settings = settings.elastic_queue or ElasticQueueSettings()
        self._open_desk = open_desk
        self._on_asked = on_asked
        #: News of work wakes the loop; it is asked for no more often than this.
        self.spacing_sec = self._settings.service_period

    def cycle(self) -> float:
        """Look once: ask for more if there is work for it, then cancel what has waited too long."""
        settings, desk = self._settings, self._open_desk()
        live = self._live()
        size = size_of(settings, self._load(live), self._windows(desk))
        if size is not None:
            request = BatchJobRequest(
                scheduler="",
                site_id=self._site_id,
                project=settings.submit_project,
                queue=settings.submit_queue,
                num_nodes=size.num_nodes,
                wall_time_min=size.wall_time_min,
                job_mode=settings.job_mode,
                filter_tags=self._tags,
                optional_params={ASKED_BY: self.name},
            )
            made = self._client.intend_batch_job(request)
            logger.info(
                "Batch job %d: %d nodes for %d min", made.batch_job_id, size.num_nodes, size.wall_time_min
            )
            self._on_asked()
        for info in live:
            if self._has_waited(info):
                logger.info("Batch job %d has waited too long", info.batch_job_id)
                cancel(desk, info.batch_job_id)
        return settings.service_period

    def interrupt(self) -> None:
        """A command of the scheduler has a time limit of its own."""

    def close(self) -> None:
        """Nothing is held."""

    def _live(self) -> list[BatchJobInfo]:
        """Return the batch jobs of this site in the queue, with the same tags, that have not ended."""
        return [
            info
            for info in self._client.batch_jobs()
            if info.site_id == self._site_id
            and info.from_balsam
            and info.queue == self._settings.submit_queue
            and dict(info.filter_tags) == dict(self._tags)
            and info.state is not BatchJobState.PENDING_DELETION
        ]

    def _load(self, live: Sequence[BatchJobInfo]) -> Load:
        most = self._settings.max_num_nodes
        request = DemandRequest(site_id=self._site_id, tags=self._tags, with_running=True)
        demands = self._client.demand(request)
        ready = [demand for demand in demands if demand.is_ready and demand.num_nodes <= most]
        return Load(
            runnable=sum(demand.total_nodes for demand in ready),
            smallest=min((demand.num_nodes for demand in ready), default=1),
            running=sum(demand.total_nodes for demand in demands if demand.is_running),
            reserved=sum(info.num_nodes for info in live),
            num_live=len(live),
        )

    def _windows(self, desk: Desk) -> Sequence[BackfillWindow]:
        command = desk.adapter.backfill_command() if self._settings.use_backfill else None
        if command is None:
            return ()
        return desk.adapter.parse_backfill(desk.run(command)).get(self._settings.submit_queue, ())

    def _has_waited(self, info: BatchJobInfo) -> bool:
        is_own = info.optional_params.get(ASKED_BY) == self.name
        patience_sec = self._settings.max_queue_wait_time_min * 60
        is_late = info.submitted is not None and info.age_sec(info.submitted) > patience_sec
        return is_own and info.state is BatchJobState.QUEUED and is_late

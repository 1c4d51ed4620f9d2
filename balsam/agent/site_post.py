"""A site as a place for a service: its settings say what is submitted, processed, kept and cleaned."""

from collections.abc import Callable, Sequence

from balsam.agent.elastic_queue import ElasticQueue
from balsam.agent.file_cleaning import FileCleaning
from balsam.agent.health import Board
from balsam.agent.queue_maintainer import QueueMaintainer
from balsam.agent.site_control import check_no_agent
from balsam.agent.site_queue import SiteQueue
from balsam.agent.site_status import SiteStatus
from balsam.agent.supervision import Loop
from balsam.agent.sync import SchedulerSync
from balsam.batch import Desk, open_site_desk
from balsam.client import Client
from balsam.config import SiteConfig, UserSettings
from balsam.platform.transfer import parse_location
from balsam.processing.transfers import MoverOptions
from balsam.schemas.sessions import Selection

__all__ = ["SitePost"]

_IDLE_SYNC_SEC = 60.0


class SitePost:
    """The agent of one site, with the settings as they were when it was made."""

    def __init__(self, config: SiteConfig) -> None:
        self._config = config
        self.directory = config.site_path
        self.label = f"site {config.site_path}"
        settings = config.settings
        self.selection = Selection(site_id=config.site_id, tags=settings.filter_tags)
        self.num_workers = settings.processing.num_workers if settings.processing else 0
        self.mover_options = _mover_options(config, self.selection)
        self.sync_period_sec = settings.scheduler.sync_period if settings.scheduler else _IDLE_SYNC_SEC

    def check_is_free(self, client: Client) -> None:
        """Raise UsageError when the site has an agent that is not dead."""
        check_no_agent(client, self._config.site_dir)

    def settings(self) -> UserSettings:
        """Return the user's settings, as they are at this site."""
        return self._config.for_machine()

    def open_desk(self, client: Client) -> Desk:
        """Return the desk for the site's scheduler; raises ConfigError."""
        return open_site_desk(self._config, client)

    def prepare(self, board: Board) -> None:
        """Read where transfers lead."""
        if (settings := self._config.settings.transfers) is not None:
            for alias, text in settings.transfer_locations.items():
                parse_location(alias, text)

    def loops(
        self, client: Client, sync: SchedulerSync, board: Board, on_change: Callable[[], None]
    ) -> Sequence[Loop]:
        """Make the modules that are not switched off."""
        settings, config = self._config.settings, self._config

        def desk() -> Desk:
            return self.open_desk(client)

        loops: list[Loop] = [SiteStatus(client, config, desk, board)]
        if settings.scheduler is not None:
            loops.append(SiteQueue(client, config.site_id, settings, desk, sync, board))
        if settings.elastic_queue is not None:
            loops.append(ElasticQueue(client, config.site_id, settings, desk, on_change))
        if settings.queue_maintainer is not None:
            loops.append(QueueMaintainer(client, config.site_id, settings, on_change))
        if settings.file_cleaner is not None:
            loops.append(FileCleaning(client, config, settings.file_cleaner))
        return loops


def _mover_options(config: SiteConfig, selection: Selection) -> MoverOptions | None:
    """Return how files are moved; locations are those of the settings, not of its record."""
    settings = config.settings.transfers
    if settings is None:
        return None
    return MoverOptions(
        selection=selection,
        concurrency=settings.max_concurrent_transfers,
        batch_size=settings.transfer_batch_size,
        query_limit=settings.num_items_query_limit,
        look_sec=settings.service_period,
        locations=settings.transfer_locations,
        endpoint=config.endpoint,
    )

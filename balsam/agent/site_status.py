"""The loop that tells the site's record what the site has: that is how others see that its agent lives."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from balsam.agent.health import Board
from balsam.batch import Desk
from balsam.client import Client
from balsam.config import Settings, SiteConfig
from balsam.config.machine_defaults import machine_named
from balsam.exceptions import BalsamError
from balsam.platform.nodes import NodeDescription
from balsam.schemas.batch_jobs import BatchJobInfo

__all__ = ["SiteStatus", "push_settings"]

logger = logging.getLogger(__name__)

#: Others take a site for active while its last word is no older than two minutes.
_PERIOD_SEC = 30.0


class SiteStatus:
    """Pushes settings at the start, and queued batch jobs and backfill windows again and again."""

    name = "site"
    spacing_sec = 5.0

    def __init__(
        self, client: Client, config: SiteConfig, open_desk: Callable[[], Desk], board: Board
    ) -> None:
        self._client = client
        self._config = config
        self._open_desk = open_desk
        self._board = board
        self._is_first = True

    def cycle(self) -> float:
        """Push once."""
        patch: dict[str, Any] = settings_record(self._config.settings) if self._is_first else {}
        if self._config.settings.scheduler is not None:
            desk = self._open_desk()
            live = [info for info in self._client.batch_jobs() if desk.is_ours(info)]
            patch["queued_jobs"] = {info.scheduler_id: _shown(info) for info in live if info.scheduler_id}
            patch["backfill_windows"] = _windows(desk)
        push(self._client, self._config.site_id, patch)
        self._is_first = False
        return _PERIOD_SEC

    def interrupt(self) -> None:
        """A command of the scheduler has a time limit of its own."""

    def close(self) -> None:
        """Nothing is held."""


def push_settings(client: Client, config: SiteConfig) -> None:
    """Tell the site's record what its settings allow."""
    push(client, config.site_id, settings_record(config.settings))


def settings_record(settings: Settings) -> dict[str, Any]:
    """Return what of the settings a site's record has."""
    record: dict[str, Any] = {"node_shape": _node_shape(machine_named(settings.machine).nodes)}
    if (scheduler := settings.scheduler) is not None:
        record["allowed_projects"] = list(scheduler.allowed_projects)
        record["allowed_queues"] = {name: asdict(limits) for name, limits in scheduler.allowed_queues.items()}
        record["optional_batch_job_params"] = dict(scheduler.optional_batch_job_params)
    if (transfers := settings.transfers) is not None:
        record["transfer_locations"] = dict(transfers.transfer_locations)
        if transfers.globus_endpoint_id:
            record["globus_endpoint_id"] = transfers.globus_endpoint_id
    return record


def _node_shape(node: NodeDescription) -> dict[str, int]:
    """Return what is known of the machine's nodes."""
    known = {"cpus": len(node.cpus), "gpus": len(node.gpus), "memory_mb": node.memory_mb}
    return known if node.cpus else {}


def push(client: Client, site_id: int, patch: dict[str, Any]) -> None:
    """Change the site's record; raises BalsamError when that is refused."""
    refused = client.update_resources("site", {site_id: patch}).refused
    if refused:
        raise BalsamError(f"The record of the site cannot be changed: {refused[site_id]}")


def _shown(info: BatchJobInfo) -> dict[str, Any]:
    return {
        "state": info.state.value,
        "queue": info.queue,
        "num_nodes": info.num_nodes,
        "wall_time_min": info.wall_time_min,
        "project": info.project,
    }


def _windows(desk: Desk) -> dict[str, list[dict[str, int]]]:
    command = desk.adapter.backfill_command()
    if command is None:
        return {}
    found = desk.adapter.parse_backfill(desk.run(command))
    return {queue: [asdict(window) for window in windows] for queue, windows in found.items()}

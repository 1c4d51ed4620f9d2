"""What the record of a site has of its settings, for those who submit to it from elsewhere."""

from dataclasses import asdict
from typing import Any

from balsam.config.machine_defaults import machine_named
from balsam.config.site_settings import SchedulerSettings, Settings
from balsam.platform.nodes import NodeDescription

__all__ = ["limits_record", "settings_record"]


def settings_record(settings: Settings) -> dict[str, Any]:
    """Return the fields of the record that follow from the settings."""
    record: dict[str, Any] = {"node_shape": _node_shape(machine_named(settings.machine).nodes)}
    if settings.scheduler is not None:
        record |= limits_record(settings.scheduler)
    if (transfers := settings.transfers) is not None:
        record["transfer_locations"] = dict(transfers.transfer_locations)
        if transfers.globus_endpoint_id:
            record["globus_endpoint_id"] = transfers.globus_endpoint_id
    return record


def limits_record(scheduler: SchedulerSettings) -> dict[str, Any]:
    """Return what the site allows of batch jobs: the fields of `BatchLimits`."""
    return {
        "allowed_projects": list(scheduler.allowed_projects),
        "allowed_queues": {name: asdict(limits) for name, limits in scheduler.allowed_queues.items()},
        "optional_batch_job_params": dict(scheduler.optional_batch_job_params),
    }


def _node_shape(node: NodeDescription) -> dict[str, int]:
    """Return what is known of the machine's nodes."""
    known = {"cpus": len(node.cpus), "gpus": len(node.gpus), "memory_mb": node.memory_mb}
    return known if node.cpus else {}

"""The Python API of the site generation: applications, jobs and batch jobs at any site.

On one's own database no login is needed: the site directory one stands in, or BALSAM_DB_PATH, says which.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from balsam.api import models
    from balsam.api.app_parameters import AppParameter, TransferDirection, TransferSlot
    from balsam.api.application import ApplicationDefinition
    from balsam.api.models import (
        App,
        BatchJob,
        BatchJobPartition,
        EventLog,
        Job,
        JobMode,
        JobTransferItem,
        Session,
        Site,
        TransferItem,
    )
    from balsam.config.site_config import SiteConfig
    from balsam.states import JobState

    site_config: SiteConfig | None

__all__ = [
    "App",
    "AppParameter",
    "ApplicationDefinition",
    "BatchJob",
    "BatchJobPartition",
    "EventLog",
    "Job",
    "JobMode",
    "JobState",
    "JobTransferItem",
    "Session",
    "Site",
    "TransferDirection",
    "TransferItem",
    "TransferSlot",
    "models",
    "site_config",
]

#: Name -> where it is; looked up when it is asked for, so that importing this package costs nothing.
_PLACES = {
    **dict.fromkeys(
        (
            *("App", "BatchJob", "BatchJobPartition", "EventLog", "Job", "JobMode", "JobTransferItem"),
            *("Session", "Site", "TransferItem"),
        ),
        "balsam.api.models",
    ),
    "ApplicationDefinition": "balsam.api.application",
    "JobState": "balsam.states",
    **dict.fromkeys(("AppParameter", "TransferDirection", "TransferSlot"), "balsam.api.app_parameters"),
}


def __getattr__(name: str) -> Any:
    if name == "models":
        return import_module("balsam.api.models")
    if name == "site_config":
        return import_module("balsam.config.site_config").current_site()
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'balsam.api' has no attribute {name!r}")

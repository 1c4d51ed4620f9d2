"""What is known of `balsam service` on a database."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from balsam.schemas.sessions import SessionInfo

__all__ = ["RunsSince", "ServiceInfo"]


@dataclass(frozen=True, slots=True)
class ServiceInfo:
    """The service that holds the database; times are aware UTC, by the database's clock."""

    session: SessionInfo
    started: datetime
    #: What it last said of itself; see `balsam.agent.health`.
    status: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunsSince:
    """Whether launchers have started jobs since an event, and the number of the last event now."""

    has_run: bool
    last_event: int

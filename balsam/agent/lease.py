"""The loop that keeps the service's own lease, and takes over from launchers that have died."""

import logging
from pathlib import Path

from balsam.client import Client
from balsam.launcher.recovery import recover

__all__ = ["LeaseKeeper"]

logger = logging.getLogger(__name__)

_PERIOD_SEC = 20.0


class LeaseKeeper:
    """Raises LeaseLostError when the session is gone."""

    name = "leases"
    spacing_sec = 2.0

    def __init__(self, client: Client, session_id: int, log_dir: Path) -> None:
        self._client = client
        self._session_id = session_id
        self._log_dir = log_dir

    def cycle(self) -> float:
        """Renew the own lease first: after a database was away, all look as if they were over."""
        self._client.heartbeat(self._session_id)
        if freed := recover(self._client, self._log_dir):
            logger.info("%d jobs of processes that have died are free again", freed)
        return _PERIOD_SEC

    def interrupt(self) -> None:
        """A cycle takes no time."""

    def close(self) -> None:
        """Nothing is held."""

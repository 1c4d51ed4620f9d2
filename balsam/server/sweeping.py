"""What a server does by the clock: free the jobs of who is gone, forget what nobody asks for again."""

import logging
import threading

from balsam.core.leases import reap_expired
from balsam.core.sent_requests import forget_old_requests
from balsam.exceptions import BalsamError
from balsam.server.connections import in_core

__all__ = ["keep_sweeping"]

logger = logging.getLogger(__name__)

_PERIOD_SEC = 20.0


def keep_sweeping(stop: threading.Event) -> None:
    """Sweep again and again until told to stop; a sweep that fails is logged, and the next one comes."""
    while not stop.wait(_PERIOD_SEC):
        try:
            if freed := in_core(reap_expired):
                logger.warning("%d jobs of launchers and agents that are gone are free again", freed)
            in_core(forget_old_requests)
        except BalsamError as error:
            logger.warning("%s", error)

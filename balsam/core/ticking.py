"""Renew a lease from a background thread, for scripts that hold jobs without a loop of their own."""

import logging
import threading

from django.db import DatabaseError, connection

from balsam.core.leases import LEASE_SEC, heartbeat
from balsam.exceptions import BalsamError

logger = logging.getLogger(__name__)


def tick_in_background(session_id: int) -> threading.Event:
    """Renew the lease every third of its length until the returned event is set or the process ends."""
    stop = threading.Event()
    threading.Thread(target=_tick, args=(session_id, stop), name="balsam-tick", daemon=True).start()
    return stop


def _tick(session_id: int, stop: threading.Event) -> None:
    while not stop.wait(LEASE_SEC / 3):
        try:
            heartbeat(session_id)
        except BalsamError as error:
            logger.error("The lease is lost: %s", error)
            break
        except DatabaseError as error:
            logger.warning("The lease was not renewed, will try again: %s", error)
    connection.close()

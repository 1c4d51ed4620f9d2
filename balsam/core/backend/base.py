"""PostgreSQL back end that finds the active database when it connects, and waits for a busy one.

A server without a free connection is never an error for a script until `ConnectPolicy.busy_sec` have passed:
hundreds of jobs may connect at once. A server that is down is waited for (and restarted, where this process
may do that) as `ConnectPolicy.down_sec` says.
"""

import os
import random
import time
from dataclasses import dataclass
from typing import Any

import psycopg2
from django.db.backends.postgresql import base

from balsam.core.active import active_db_path
from balsam.exceptions import BalsamError, DatabaseUnreachable
from balsam.postgres import Cluster, connection_params

#: A connection that was used within this is taken to be alive.
_IDLE_SEC = 1.0
_BUSY_WORDS = ("too many clients", "remaining connection slots", "too many connections")
_RESTARTING_WORDS = ("starting up", "shutting down", "in recovery", "not yet accepting connections")


@dataclass(slots=True)
class ConnectPolicy:
    """How long a connection attempt goes on. ``revive``: start a server that is down and ours."""

    busy_sec: float = 300.0
    down_sec: float = 2.0
    revive: bool = False


#: The policy of this process; a launcher asks for more patience.
policy = ConnectPolicy(down_sec=60.0 if "BALSAM_JOB_ID" in os.environ else 2.0)


class DatabaseWrapper(base.DatabaseWrapper):
    """Connections to the active Balsam database."""

    _last_used_at = 0.0

    def ensure_connection(self) -> None:
        """Connect; a connection that has been idle is looked at first, since the server may have restarted.

        Not inside a transaction, which could not be taken up again anyway.
        """
        now = time.monotonic()
        is_idle = now - self._last_used_at > _IDLE_SEC
        self._last_used_at = now
        if self.connection is not None and is_idle and not self.in_atomic_block and not self.is_usable():
            self.close()
        super().ensure_connection()

    def get_connection_params(self) -> dict[str, Any]:
        """Read host, port, role and password from the active directory's server-info."""
        found = connection_params(active_db_path())
        self.settings_dict.update(
            NAME=found["dbname"],
            USER=found["user"],
            PASSWORD=found["password"],
            HOST=found["host"],
            PORT=str(found["port"]),
            OPTIONS={
                "connect_timeout": 30,
                "application_name": _application_name(),
                # where libpq knows it, a stranger on a freed port cannot ask for the password in clear
                **{name: found[name] for name in ("require_auth",) if name in found},
            },
        )
        params: dict[str, Any] = super().get_connection_params()
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect, waiting as `policy` says; raises DatabaseUnreachable when the wait is over."""
        started = time.monotonic()
        pause_sec = 0.02
        while True:
            try:
                fresh = super().get_new_connection(conn_params)
                self._last_used_at = time.monotonic()  # it is not idle, however long this took
                return fresh
            except psycopg2.OperationalError as error:
                patience_sec = _patience_sec(str(error))
                if time.monotonic() - started >= patience_sec:
                    raise _unreachable(error) from error
            time.sleep(pause_sec * random.uniform(0.5, 1.5))
            pause_sec = min(pause_sec * 1.6, 1.0)
            conn_params = self._current_params()

    def _current_params(self) -> dict[str, Any]:
        """Look the address up again, since the server may have come back on another port."""
        if policy.revive:
            _revive()
        return self.get_connection_params()


def _application_name() -> str:
    job = os.environ.get("BALSAM_JOB_ID", "")
    return f"balsam job {job[:8]}" if job else f"balsam {os.getpid()}"


def _patience_sec(message: str) -> float:
    """How long to go on after a connection error with this text; 0 for one that waiting cannot mend."""
    if any(words in message for words in _BUSY_WORDS):
        return policy.busy_sec
    if any(words in message for words in _RESTARTING_WORDS):
        return max(policy.down_sec, 30.0)
    if "authentication failed" in message or ("does not exist" in message and "database" in message):
        return 0.0
    return policy.down_sec


def _revive() -> None:
    """Start a server that has died; one that was stopped on purpose stays stopped."""
    try:
        Cluster(active_db_path()).revive()
    except BalsamError:
        return  # the next connection attempt fails with the reason, and the wait goes on


def _unreachable(error: Exception) -> DatabaseUnreachable:
    return DatabaseUnreachable(
        f"The database at {active_db_path()} does not answer: {str(error).strip()}\n"
        "Start it with `balsam server --connect`, or see `balsam server --status`."
    )

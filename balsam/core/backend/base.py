"""PostgreSQL back end that finds the active database when it connects, and waits for a busy one.

A server without a free connection is never an error for a script until `ConnectPolicy.busy_sec` have passed:
hundreds of jobs may connect at once. A server that is down is waited for (and restarted, where this process
may do that) as `ConnectPolicy.down_sec` says.
"""

import os
import random
import select
import time
from dataclasses import dataclass
from typing import Any

import psycopg2
from django.db.backends.postgresql import base

from balsam.core.active import active_db_path
from balsam.exceptions import BalsamError, DatabaseUnreachable
from balsam.postgres import connection_params

#: A connection that was used within this is taken to be alive.
_IDLE_SEC = 1.0
#: A job's connection that has been idle for so long makes room for another's.
_IDLE_LIMIT_SEC = 10
_FIRST_WITH_IDLE_LIMIT = 140000
_BUSY_WORDS = ("too many clients", "remaining connection slots", "too many connections")
_RESTARTING_WORDS = ("starting up", "shutting down", "in recovery", "not yet accepting connections")


@dataclass(slots=True)
class ConnectPolicy:
    """How long a connection attempt goes on. ``revive``: start a server that is down and ours."""

    busy_sec: float = 300.0
    down_sec: float = 2.0
    revive: bool = False
    #: A transaction of this process that does nothing for so long is ended by the server, so that a process
    #: that was stopped in the middle of one does not keep others waiting; None: never.
    max_pause_sec: float | None = None


#: The policy of this process; a launcher asks for more patience.
policy = ConnectPolicy(down_sec=60.0 if "BALSAM_JOB_ID" in os.environ else 2.0)


class DatabaseWrapper(base.DatabaseWrapper):
    """Connections to the active Balsam database."""

    _last_used_at = 0.0
    _owner_pid = 0

    def ensure_connection(self) -> None:
        """Connect; one that was idle is looked at first, since the server may have restarted or ended it."""
        now = time.monotonic()
        is_idle = now - self._last_used_at > _IDLE_SEC
        self._last_used_at = now
        if self.connection is not None and self._owner_pid != os.getpid():
            self.connection = None  # it is the parent's, who goes on using it
        elif self.connection is not None and is_idle and self._is_dead():
            self.close()
        super().ensure_connection()

    def _is_dead(self) -> bool:
        """Say whether the connection has ended; not asked in a transaction, which only it can end."""
        is_replaceable = self.autocommit and not self.in_atomic_block
        return is_replaceable and self._has_news() and not self.is_usable()

    def _has_news(self) -> bool:
        """Say whether the server has sent something unasked, which may be that it ends the connection."""
        try:
            return bool(select.select([self.connection], [], [], 0)[0])
        except (OSError, ValueError, psycopg2.Error):
            return True

    def init_connection_state(self) -> None:
        """Set up a new connection; that of a job is ended by the server when it is idle.

        Jobs compute for hours between two queries, and may be more than the server has connections.
        """
        super().init_connection_state()
        if "BALSAM_JOB_ID" in os.environ:
            self._end_when_idle(_IDLE_LIMIT_SEC)

    def chunked_cursor(self) -> Any:
        """Open a cursor on the server, which lasts as long as its reader takes between two portions."""
        self.ensure_connection()
        if "BALSAM_JOB_ID" in os.environ:
            self._end_when_idle(0)
        return super().chunked_cursor()

    def _end_when_idle(self, limit_sec: int) -> None:
        if self.connection is not None and self.connection.info.server_version >= _FIRST_WITH_IDLE_LIMIT:
            with self.connection.cursor() as cursor:
                cursor.execute("SET idle_session_timeout = %s", [limit_sec * 1000])

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
                **_pause_limit(),
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
                self._owner_pid = os.getpid()
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


def _pause_limit() -> dict[str, str]:
    if policy.max_pause_sec is None:
        return {}
    return {"options": f"-c idle_in_transaction_session_timeout={policy.max_pause_sec * 1000:.0f}"}


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
    from balsam.postgres import Cluster  # its import takes time, and is hardly ever needed

    try:
        Cluster(active_db_path()).revive()
    except BalsamError:
        return  # the next connection attempt fails with the reason, and the wait goes on


def _unreachable(error: Exception) -> DatabaseUnreachable:
    return DatabaseUnreachable(
        f"The database at {active_db_path()} does not answer: {str(error).strip()}\n"
        "Start it with `balsam server --connect`, or see `balsam server --status`."
    )

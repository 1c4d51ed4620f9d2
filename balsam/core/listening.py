"""Listen for notices on a connection of its own, and the connection habits of a long-lived process."""

import os
import select

import psycopg2
from django.db import connection

from balsam.core import notices
from balsam.core.backend.base import policy
from balsam.core.notices import Notice
from balsam.exceptions import DatabaseUnreachable


class DatabaseListener:
    """A connection that LISTENs. `wait` and `notices` may be called by one thread, `wake` by any."""

    def __init__(self) -> None:
        connection.ensure_connection()  # waits for the server as the connect policy says
        connection.close()
        self._wake_out, self._wake_in = os.pipe()
        self._raw = psycopg2.connect(**connection.get_connection_params())
        self._raw.autocommit = True
        with self._raw.cursor() as cursor:
            cursor.execute(f"LISTEN {notices.CHANNEL}")

    def wait(self, timeout_sec: float) -> list[str]:
        """Return the topics that came, whatever site they concern; see `notices`."""
        return list(dict.fromkeys(notice.topic for notice in self.notices(timeout_sec)))

    def notices(self, timeout_sec: float) -> list[Notice]:
        """Return what came, waiting at most this long; [] after a timeout or a `wake`.

        Raises DatabaseUnreachable when the connection has broken: open a new listener, and look at
        everything, since notices may have been missed.
        """
        if not self._raw.notifies:
            ready, _, _ = select.select([self._raw, self._wake_out], [], [], timeout_sec)
            if self._wake_out in ready:
                os.read(self._wake_out, 4096)
        try:
            self._raw.poll()
        except psycopg2.Error as error:
            raise DatabaseUnreachable(f"The connection that listens for work has broken: {error}") from error
        payloads = [sent.payload for sent in self._raw.notifies]
        self._raw.notifies.clear()
        return [notices.read(payload) for payload in dict.fromkeys(payloads)]

    def wake(self) -> None:
        """Make `wait` return at once."""
        os.write(self._wake_in, b"w")

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()
        os.close(self._wake_in)
        os.close(self._wake_out)


def set_patience(is_patient: bool) -> None:
    """Wait long for a database that is down, and start it again where it is this host's; or do not."""
    policy.down_sec = 600.0 if is_patient else 0.0
    policy.busy_sec = 300.0 if is_patient else 0.0
    policy.revive = is_patient
    policy.max_pause_sec = 15.0


def close_connection() -> None:
    """Close the calling thread's connection."""
    connection.close()

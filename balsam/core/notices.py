"""Word from the database to whoever waits: of work, transfers, ends, held jobs taken away, batch jobs.

Sent inside the transaction that makes it true, so a listener never looks too early. Each names the site that
it concerns.
"""

from collections.abc import Iterable
from typing import NamedTuple

from django.db import connection

__all__ = ["BATCH", "CHANNEL", "END", "TRANSFERS", "WORK", "Notice", "lost", "notify", "read"]

#: One channel; the payload says what, and where: ``work@3``.
CHANNEL = "balsam"
#: Jobs may be claimed: to be run, or for a step.
WORK = "work"
#: Some are to be done now, or not any more.
TRANSFERS = "transfers"
END = "end"
BATCH = "batch"
_AT = "@"


class Notice(NamedTuple):
    """A topic, and the site that it concerns; None: all."""

    topic: str
    site_id: int | None


def lost(session_id: int) -> str:
    """Return the topic that tells a session of jobs that were taken away from it."""
    return f"lost {session_id}"


def notify(told: Iterable[tuple[str, int | None]]) -> None:
    """Send topics, each with its site, when the transaction commits; equal ones are sent once."""
    payloads = sorted({f"{topic}{_AT}{'' if site_id is None else site_id}" for topic, site_id in told})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify(%s, payload) FROM unnest(%s::text[]) AS payload", [CHANNEL, payloads]
        )


def read(payload: str) -> Notice:
    """Read what was sent."""
    topic, _, site_id = payload.partition(_AT)
    return Notice(topic, int(site_id) if site_id.isdecimal() else None)

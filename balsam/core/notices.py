"""Word from the database to whoever waits: of work, of ends, of held jobs taken away, of batch jobs.

Sent inside the transaction that makes it true, so a listener never looks too early.
"""

from django.db import connection

#: One channel; the payload says what.
CHANNEL = "balsam"
WORK = "work"
END = "end"
LOST = "lost"
BATCH = "batch"


def notify(*topics: str) -> None:
    """Send topics to every listener when the transaction commits; equal ones are sent once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_notify(%s, topic) FROM unnest(%s::text[]) AS topic", [CHANNEL, sorted(set(topics))]
        )

"""Who may change families of jobs: one at a time, besides launchers, who only report ends.

Whoever moves jobs by request, or adds and removes edges, locks parents, jobs and children in no order that
suits all, and two could close a cycle of edges together. They take turns, so only a deadlock with a report of
a launcher is left, which is repeated.
"""

from django.db import connection

_KEY = 0x62616C73


def lock_families() -> None:
    """Wait for one's turn; it lasts until the end of the transaction. Call before locking any job."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_KEY])


def share_families() -> None:
    """Keep families as they are until the end of the transaction, along with others who only add new jobs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_KEY])

"""Log in to a server: as its administrator, to look after it, and as any script does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from balsam.exceptions import DatabaseError, DatabaseUnreachable
from balsam.postgres.connecting import DATABASE, connection_params, params_for
from balsam.postgres.initdb import ADMIN
from balsam.postgres.layout import Layout
from balsam.postgres.serverinfo import read_server_info

if TYPE_CHECKING:
    from psycopg2.extensions import connection

_CONNECT_SEC = 10
_QUERY_LENGTH = 60
#: How a server says that all its connections are taken.
_BUSY_WORDS = ("too many clients", "remaining connection slots", "too many connections")


@dataclass(frozen=True)
class Connection:
    """A connection to the database; ``query`` is the beginning of what it last asked."""

    pid: int
    application: str
    user: str
    state: str
    query: str


def active_connections(db_path: Path) -> list[Connection]:
    """Return the connections to the database, but this one, the oldest first.

    Raises DatabaseUnreachable when the server does not answer.
    """
    with admin_connection(db_path) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid, coalesce(application_name, ''), coalesce(usename, ''), coalesce(state, ''),"
            " left(query, %s) FROM pg_stat_activity"
            " WHERE datname = %s AND pid <> pg_backend_pid() ORDER BY backend_start, pid",
            (_QUERY_LENGTH, DATABASE),
        )
        return [Connection(*row) for row in cursor.fetchall()]


@contextmanager
def admin_connection(db_path: Path) -> Iterator["connection"]:
    """Give a transaction of the server's superuser, committed at the end.

    Raises DatabaseUnreachable when the server does not answer, DatabaseError for all but its owner.
    """
    import psycopg2  # costs 40 ms, which not every command that imports this needs

    info = read_server_info(db_path)
    params = params_for(info, ADMIN, _admin_password(Layout(db_path)))
    try:
        connection = psycopg2.connect(**params, connect_timeout=_CONNECT_SEC)
    except psycopg2.OperationalError as error:
        raise unreachable(db_path, error) from error
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def check_login(db_path: Path) -> None:
    """Log in as any script does; raises DatabaseUnreachable. A server without a free connection is fine."""
    import psycopg2

    try:
        psycopg2.connect(**connection_params(db_path), connect_timeout=_CONNECT_SEC).close()
    except psycopg2.OperationalError as error:
        if not any(words in str(error) for words in _BUSY_WORDS):
            raise unreachable(db_path, error) from error


def unreachable(db_path: Path, error: Exception) -> DatabaseUnreachable:
    """Say that the server of ``db_path`` did not let us in, and why."""
    reason = " ".join(str(error).split())
    return DatabaseUnreachable(
        f"The database {db_path} does not let us in: {reason}\n"
        "`balsam server --status` shows where it should be, `balsam server --connect` starts it."
    )


def _admin_password(layout: Layout) -> str:
    try:
        return layout.admin_password.read_text(encoding="ascii").strip()
    except OSError as error:
        raise DatabaseError(
            f"Cannot look into the server: {layout.admin_password} cannot be read ({error.strerror}).\n"
            "Only the owner can do this, in the database directory itself."
        ) from error

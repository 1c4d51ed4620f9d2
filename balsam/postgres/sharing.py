"""Let other users of this machine work in a database: a role of its own for each of them.

What they may do is said once, for a group they are all in: read and write every table of the owner, also
those of later versions; never change the tables themselves, nor see the roles' passwords.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

from balsam.exceptions import ConflictError, NotFoundError, UsageError
from balsam.postgres.connecting import DATABASE
from balsam.postgres.initdb import ADMIN
from balsam.postgres.layout import Layout
from balsam.postgres.sessions import admin_connection
from balsam.postgres.user_files import write_user_info

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

#: The group of all users but the owner; it cannot log in itself.
GROUP = "balsam_users"
#: 256 bits, as text that needs no quoting anywhere.
_PASSWORD_BYTES = 32
_LONGEST_NAME = 63
_RESERVED = frozenset({ADMIN, GROUP, "postgres", "public", "none", "user", "current_user", "session_user"})
#: Two commands at once change roles one after the other.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('balsam users'))"
#: {owner} is who owns the tables; all statements may be repeated.
_GRANTS: tuple[LiteralString, ...] = (
    "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {group}",
    "GRANT ALL ON SCHEMA public TO {owner}",
    "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
    "GRANT USAGE ON SCHEMA public TO {group}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {group}",
    "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {group}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public"
    " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {group}",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public"
    " GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO {group}",
)
#: What the user has made goes to the owner; then nothing holds the role any more.
_DROPS: tuple[LiteralString, ...] = (
    "REASSIGN OWNED BY {user} TO {owner}",
    "DROP OWNED BY {user}",
    "DROP ROLE {user}",
)
_LIST = """
    SELECT role.rolname, role.oid = database.datdba,
           (SELECT count(*) FROM pg_stat_activity s WHERE s.usesysid = role.oid AND s.datid = database.oid)
    FROM pg_roles role, pg_database database
    WHERE database.datname = %s AND (role.oid = database.datdba OR role.oid IN
          (SELECT member FROM pg_auth_members JOIN pg_roles shared ON shared.oid = roleid
           WHERE shared.rolname = %s))
    ORDER BY 2 DESC, 1
"""


@dataclass(frozen=True)
class DatabaseUser:
    """Somebody who can log in; ``connections`` are those open now."""

    user: str
    is_owner: bool
    connections: int


def list_users(db_path: Path) -> list[DatabaseUser]:
    """Return who can log in, the owner first. Raises DatabaseUnreachable or DatabaseError."""
    with _transaction(db_path) as cursor:
        return _users(cursor)


@dataclass(frozen=True)
class AddedUser:
    """The `server-info` of a new user; if they cannot read it, the owner hands it over."""

    info_path: Path
    can_read: bool


def add_user(db_path: Path, user: str) -> AddedUser:
    """Let ``user`` work in the database, with a password of their own.

    Raises UsageError for a name that cannot be one, ConflictError for one that is taken, DatabaseUnreachable
    or DatabaseError.
    """
    from psycopg2.extensions import encrypt_password

    _check_name(user)
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    with _transaction(db_path) as cursor:
        owner = _owner(cursor)
        _check_is_new(cursor, user, db_path)
        if not _role_exists(cursor, GROUP):
            _run(cursor, "CREATE ROLE {group} NOLOGIN")
        for statement in _GRANTS:
            _run(cursor, statement, owner=owner)
        # the server, its statistics and its logs see a verifier only
        verifier = encrypt_password(password, user, cursor.connection, "scram-sha-256")
        _run(cursor, "CREATE ROLE {user} LOGIN PASSWORD {} IN ROLE {group}", verifier, user=user)
        can_read = write_user_info(db_path, user, password, owner)
    return AddedUser(Layout(db_path).user_info(user), can_read)


def drop_user(db_path: Path, user: str) -> None:
    """Take the right to log in from ``user`` and cut their connections; their jobs stay.

    Raises NotFoundError where there is no such user, ConflictError for the owner, DatabaseUnreachable or
    DatabaseError.
    """
    with _transaction(db_path) as cursor:
        _check_is_removable(cursor, user, db_path)
        _run(cursor, "ALTER ROLE {user} NOLOGIN", user=user)
    with _transaction(db_path) as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (user,))
        for statement in _DROPS:
            _run(cursor, statement, user=user, owner=_owner(cursor))
    Layout(db_path).user_info(user).unlink(missing_ok=True)


@contextmanager
def _transaction(db_path: Path) -> Iterator["Cursor"]:
    with admin_connection(db_path) as connection, connection.cursor() as cursor:
        cursor.execute(_LOCK)
        yield cursor


def _run(cursor: "Cursor", statement: LiteralString, *texts: str, **names: str) -> None:
    """Run a statement with texts and names in it, which are quoted here."""
    from psycopg2 import sql

    quoted = {key: sql.Identifier(name) for key, name in names.items()}
    fixed = {"database": sql.Identifier(DATABASE), "group": sql.Identifier(GROUP)}
    cursor.execute(sql.SQL(statement).format(*map(sql.Literal, texts), **fixed, **quoted))


def _users(cursor: "Cursor") -> list[DatabaseUser]:
    cursor.execute(_LIST, (DATABASE, GROUP))
    return [DatabaseUser(*row) for row in cursor.fetchall()]


def _owner(cursor: "Cursor") -> str:
    return next(user.user for user in _users(cursor) if user.is_owner)


def _role_exists(cursor: "Cursor", name: str) -> bool:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
    return cursor.fetchone() is not None


def _check_name(user: str) -> None:
    reason = ""
    if not user or not user.isprintable():
        reason = "it is empty, or has characters that cannot be shown"
    elif len(user.encode()) > _LONGEST_NAME:
        reason = f"PostgreSQL takes no more than {_LONGEST_NAME} bytes"
    elif user in _RESERVED or user.startswith("pg_"):
        reason = "PostgreSQL or Balsam uses it for itself"
    if reason:
        raise UsageError(
            f"{user!r} cannot be the name of a user: {reason}.\n"
            "Choose another; it need not be their login name: `balsam server --add-user NAME`."
        )


def _check_is_new(cursor: "Cursor", user: str, db_path: Path) -> None:
    if _role_exists(cursor, user):
        what = "the owner" if user == _owner(cursor) else "a user"
        raise ConflictError(
            f"{user!r} is {what} of the database {db_path} already.\n"
            "`balsam server --list-users` shows all. For a new password, `balsam server --drop-user` first."
        )


def _check_is_removable(cursor: "Cursor", user: str, db_path: Path) -> None:
    found = next((item for item in _users(cursor) if item.user == user), None)
    if found is None:
        raise NotFoundError(
            f"{user!r} is no user of the database {db_path}.\n`balsam server --list-users` shows who is."
        )
    if found.is_owner:
        raise ConflictError(
            f"{user!r} owns the database {db_path} and cannot be dropped.\n"
            "`balsam server --list-users` shows the others."
        )

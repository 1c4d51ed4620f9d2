"""How to reach the server of a database from this process.

On the server's own host this is its socket, in a directory that only the owner can enter; from elsewhere, and
for other users, TCP. The password is given to nobody who does not prove to know it (scram-sha-256).
"""

import functools
import os
import socket
import struct
from pathlib import Path
from typing import NotRequired, TypedDict

from balsam.exceptions import DatabaseError
from balsam.postgres.accounts import login_name
from balsam.postgres.layout import Layout
from balsam.postgres.serverinfo import ServerInfo, read_server_info

DATABASE = "balsam"
LOOPBACK = "127.0.0.1"
#: How a client asks whether it may encrypt; every server answers with one letter, and has nothing to log.
# https://www.postgresql.org/docs/current/protocol-message-formats.html (SSLRequest)
_ENCRYPTION_REQUEST = struct.pack("!II", 8, 80877103)
#: First libpq that can refuse to send a password in clear (require_auth): PostgreSQL 16.
_LIBPQ_WITH_REQUIRE_AUTH = 160000


class ConnectionParams(TypedDict):
    """Keyword arguments of `psycopg2.connect`."""

    host: str
    port: int
    user: str
    password: str
    dbname: str
    require_auth: NotRequired[str]


def connection_params(db_path: Path, user: str | None = None) -> ConnectionParams:
    """Return how to connect to the database at ``db_path``; reads one small file and starts nothing.

    The role is ``user``, else $BALSAM_USER, else the one in `server-info`, else the login name. Raises
    NoDatabaseError or DatabaseError when `server-info` is missing, damaged, or that of another directory.
    """
    info = read_server_info(db_path)
    if is_copy(db_path, info):
        raise DatabaseError(
            f"{db_path} is a copy of {info.db_path}, and its own server has never run.\n"
            f"Start it with `. balsamactivate {db_path}`."
        )
    role = user or os.environ.get("BALSAM_USER") or info.user or login_name()
    return params_for(info, role, info.password)


def is_copy(db_path: Path, info: ServerInfo) -> bool:
    """Say whether ``info`` was copied here, with a whole database, and tells of the original's server."""
    if info.db_path in ("", str(db_path)) or not Layout(db_path).has_cluster:
        return False
    original = Path(info.db_path)
    return Layout(original).has_cluster and not original.samefile(db_path)


def params_for(info: ServerInfo, user: str, password: str, dbname: str = DATABASE) -> ConnectionParams:
    """Return how to connect to the server of ``info`` as ``user``."""
    host = address(info)
    params = ConnectionParams(host=host, port=info.port, user=user, password=password, dbname=dbname)
    if not host.startswith("/") and _libpq_version() >= _LIBPQ_WITH_REQUIRE_AUTH:
        params["require_auth"] = "scram-sha-256"
    return params


def address(info: ServerInfo) -> str:
    """Return the directory of the server's socket, or the host to reach by TCP."""
    if not is_this_host(info.host):
        return info.host or LOOPBACK
    return info.socket_dir if has_socket(info) else LOOPBACK


def has_socket(info: ServerInfo) -> bool:
    """Say whether this process may use the server's socket."""
    return bool(info.socket_dir) and os.access(socket_path(info), os.R_OK | os.W_OK)


def socket_path(info: ServerInfo) -> str:
    """Path of the server's socket."""
    return f"{info.socket_dir}/.s.PGSQL.{info.port}"


def is_this_host(host: str) -> bool:
    """Say whether ``host``, as written in `server-info`, is the one this process runs on."""
    return bool(host) and host == short_hostname()


def short_hostname() -> str:
    """Name of this host up to the first dot."""
    return socket.gethostname().partition(".")[0]


def answers_on_socket(info: ServerInfo) -> bool:
    """Say whether something listens on the socket; nobody but the owner can."""
    if not has_socket(info):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(5.0)
        try:
            probe.connect(socket_path(info))
        except OSError:
            return False
    return True


def answers_on_tcp(info: ServerInfo, timeout_sec: float = 5.0) -> bool:
    """Say whether a PostgreSQL server answers where `server-info` says.

    It is spoken to, since this end of a tunnel takes connections although nobody listens at the other.
    """
    if not info.port:
        return False
    host = LOOPBACK if is_this_host(info.host) else info.host or LOOPBACK
    try:
        with socket.create_connection((host, info.port), timeout=timeout_sec) as probe:
            probe.sendall(_ENCRYPTION_REQUEST)
            return probe.recv(1) in (b"S", b"N", b"E")
    except OSError:
        return False


@functools.cache
def _libpq_version() -> int:
    from psycopg2 import extensions

    return extensions.libpq_version()

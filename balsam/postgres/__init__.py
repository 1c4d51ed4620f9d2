"""The PostgreSQL server of one database directory, which needs no administrator.

At most one server runs on a directory, and nobody reaches it without the password.
"""

from typing import TYPE_CHECKING, Any

from balsam.postgres.connecting import ConnectionParams, connection_params
from balsam.postgres.serverinfo import ServerInfo, read_server_info

if TYPE_CHECKING:
    from balsam.postgres.cluster import Cluster, Status

__all__ = ["Cluster", "ConnectionParams", "ServerInfo", "Status", "connection_params", "read_server_info"]


def __getattr__(name: str) -> Any:
    """Import the cluster when it is asked for: every command connects, and few start a server."""
    if name in ("Cluster", "Status"):
        from balsam.postgres import cluster

        return getattr(cluster, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

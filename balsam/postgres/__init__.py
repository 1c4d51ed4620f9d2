"""The PostgreSQL server of one database directory, which needs no administrator.

At most one server runs on a directory, and nobody reaches it without the password.
"""

from balsam.postgres.cluster import Cluster, Status
from balsam.postgres.connecting import ConnectionParams, connection_params
from balsam.postgres.serverinfo import ServerInfo, read_server_info

__all__ = ["Cluster", "ConnectionParams", "ServerInfo", "Status", "connection_params", "read_server_info"]

"""Which database is active in this process: the same answer for the core and for its server."""

from functools import lru_cache
from pathlib import Path

from balsam.postgres import read_server_info
from balsam.postgres.active import active_db_path

__all__ = ["active_db_path", "database_id"]


def database_id() -> str:
    """Return a name of the active database that no other has."""
    return _instance_id(active_db_path())


@lru_cache(maxsize=8)
def _instance_id(db_path: Path) -> str:
    return read_server_info(db_path).instance_id

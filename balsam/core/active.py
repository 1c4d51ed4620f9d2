"""Which database directory is active in this process: the same answer for the core and for its server."""

from balsam.postgres.active import active_db_path

__all__ = ["active_db_path"]

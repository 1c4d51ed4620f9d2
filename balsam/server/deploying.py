"""A directory whose database is there to be served, and changes of its tables while no server uses them."""

import shutil
from contextlib import suppress
from pathlib import Path

from balsam.core import schema
from balsam.exceptions import BalsamError, UsageError
from balsam.postgres import Cluster
from balsam.server.running import refuse_second
from balsam.server.settings import ServerSettings, write_settings

__all__ = ["bring_up_to_date", "deploy"]


def deploy(db_path: Path, settings: ServerSettings) -> Path:
    """Make the directory, which must not exist, its database, tables and settings; return its full path.

    Nothing is left when that fails. Raises UsageError, DatabaseError.
    """
    cluster = Cluster(db_path)
    root = cluster.db_path
    if root.exists():
        raise UsageError(f"{root} is there already. Name a directory that is not: a server gets its own.")
    try:
        cluster.init(schema.migrate)
        write_settings(root, settings)
    except BaseException:
        with suppress(BalsamError):
            cluster.stop()
        shutil.rmtree(root, ignore_errors=True)
        raise
    return root


def bring_up_to_date(db_path: Path) -> list[str]:
    """Change the tables of an older version into those of this one; return the names of the changes.

    The database must run; its data stays. Raises ConflictError while a server uses it, DatabaseError when its
    tables are newer.
    """
    missing = schema.missing_changes(db_path)
    if missing:
        refuse_second(db_path)
    schema.migrate(db_path)
    return missing

"""Throw-away databases for tests: real ones, each in its own directory, never left running."""

import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from tests.serving import leave

if TYPE_CHECKING:
    from balsam.postgres import Cluster


def create_database(db_path: Path) -> "Cluster":
    """Make a database as `balsam init` does, with its server running, and return its cluster."""
    from balsam.core.schema import migrate
    from balsam.postgres import Cluster

    cluster = Cluster(db_path)
    cluster.init()
    cluster.ensure_running()
    migrate(db_path)
    return cluster


def discard_database(db_path: Path) -> None:
    """Stop what serves ``db_path``, and its Postgres, and delete the directory."""
    from balsam.postgres import Cluster

    leave(db_path)
    Cluster(db_path).stop()
    shutil.rmtree(db_path, ignore_errors=True)


def empty_tables() -> None:
    """Delete all rows of the active database but its first site, make that as it was, count from 1 again.

    By DELETE: TRUNCATE syncs new files of every table and index, a quarter of a second for each test.
    """
    from django.apps import apps
    from django.db import connection, transaction

    quoted = connection.ops.quote_name
    from balsam.core.models import Site

    models = [model for model in apps.get_app_config("core").get_models() if model is not Site]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '20s'")
        cursor.execute("; ".join(f"DELETE FROM {quoted(model._meta.db_table)}" for model in models))
        cursor.execute("DELETE FROM core_site WHERE id <> 1")
        columns = [f.column for f in Site._meta.local_fields if f.column not in ("id", "name", "path")]
        told = ", ".join(f"{name} = DEFAULT" for name in columns)
        cursor.execute(f"UPDATE core_site SET name = %s, {told}", [socket.gethostname().split(".")[0]])
        cursor.execute(
            "SELECT setval(oid::regclass, 1, false) FROM pg_class "
            "WHERE relkind = 'S' AND relname LIKE 'core%' AND relname <> 'core_site_id_seq'"
        )

"""Bring a database's tables to this version's schema; the migrations ship with the package."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from balsam.core import sql
from balsam.core.models import Site
from balsam.core.models.site import FIRST_SITE
from balsam.exceptions import DatabaseError


def migrate(db_path: Path) -> None:
    """Apply what is missing and record the site. The database must be running; its data stays.

    Raises DatabaseError when the database was made by a newer Balsam.
    """
    with _connected(db_path):
        _refuse_newer(db_path)
        call_command("migrate", verbosity=0, interactive=False)
        with transaction.atomic():
            Site.objects.update_or_create(
                pk=FIRST_SITE,
                defaults={"path": str(db_path.resolve())},
                create_defaults={
                    "name": socket.gethostname().split(".")[0],
                    "path": str(db_path.resolve()),
                },
            )
            sql.fetch("next_site")


def missing_changes(db_path: Path) -> list[str]:
    """Name the changes of tables that this version has and the database has not, in order.

    Raises DatabaseError when the database was made by a newer Balsam.
    """
    with _connected(db_path):
        _refuse_newer(db_path)
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes("core"))
        return [migration.name for migration, _ in plan]


def check_tables(db_path: Path) -> None:
    """Raise DatabaseError when the tables are not those of this version; says what to type."""
    if missing := missing_changes(db_path):
        raise DatabaseError(
            f"The database {db_path} has the tables of an older Balsam: {missing[-1]} is missing.\n"
            f"Bring them up to date with `balsam server migrate -p {db_path}`."
        )


@contextmanager
def _connected(db_path: Path) -> Iterator[None]:
    """Make a database the active one for a while."""
    before = os.environ.get("BALSAM_DB_PATH")
    os.environ["BALSAM_DB_PATH"] = str(db_path)
    try:
        yield
    finally:
        connection.close()
        if before is None:
            del os.environ["BALSAM_DB_PATH"]
        else:
            os.environ["BALSAM_DB_PATH"] = before


def _refuse_newer(db_path: Path) -> None:
    loader = MigrationExecutor(connection).loader
    unknown = sorted(
        name
        for app, name in loader.applied_migrations
        if app == "core" and ("core", name) not in loader.disk_migrations
    )
    if unknown:
        raise DatabaseError(
            f"The database {db_path} has the schema of a newer Balsam ({unknown[-1]}); "
            "this one would damage it.\n"
            "Upgrade this one: `pip install -U balsam`."
        )

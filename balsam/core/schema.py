"""Bring a database's tables to this version's schema; the migrations ship with the package."""

import os
import socket
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
    before = os.environ.get("BALSAM_DB_PATH")
    os.environ["BALSAM_DB_PATH"] = str(db_path)
    try:
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
            "Upgrade with `pip install -U balsam`, then run `balsam init` on it again."
        )

"""Models and migrations say the same, and all migrations apply to an empty cluster (as `db` does)."""

from pathlib import Path

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def test_every_model_change_has_its_migration(db: Path):
    call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0)


def test_all_migrations_are_applied(db: Path):
    executor = MigrationExecutor(connection)
    assert not executor.migration_plan(executor.loader.graph.leaf_nodes())

"""Put a database that works on the user's list of databases."""

from pathlib import Path

import click

from balsam.exceptions import ConfigError


def register(db_path: Path) -> None:
    """Add to the list; a list that is in disorder is told of, and does not stop anybody."""
    from balsam.config import known_databases

    try:
        known_databases.add(db_path)
    except ConfigError as error:
        click.echo(f"Warning: {error}", err=True)

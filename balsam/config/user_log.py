"""Logs as settings want them: `settings.json`, or `settings.yml` at a site."""

from pathlib import Path

from balsam.config.settings import UserSettings
from balsam.lib.logs import log_to_database_dir

__all__ = ["log_as_set"]


def log_as_set(basename: str, settings: UserSettings, directory: Path | None = None) -> Path:
    """Have this process log to a new file, of the database or below ``directory``; return its path."""
    return log_to_database_dir(
        basename,
        directory=directory,
        level=settings.LOG_HANDLER_LEVEL,
        size_limit_bytes=settings.LOG_FILE_SIZE_LIMIT,
        backup_count=settings.LOG_BACKUP_COUNT,
        line_format=settings.LOG_FORMAT,
        time_format=settings.LOG_TIME_FORMAT,
    )

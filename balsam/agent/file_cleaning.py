"""The loop that deletes what applications name in ``cleanup_files``, once a job has finished."""

import glob
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from balsam.client import Client
from balsam.config import SiteConfig
from balsam.config.site_settings import FileCleanerSettings
from balsam.lib.beneath import is_below
from balsam.schemas.resources import Query

__all__ = ["FileCleaning", "clean"]

logger = logging.getLogger(__name__)


class FileCleaning:
    """Cleans up after a number of jobs in each cycle."""

    name = "file cleaner"
    spacing_sec = 1.0

    def __init__(self, client: Client, config: SiteConfig, settings: FileCleanerSettings) -> None:
        self._client = client
        self._site_id = config.site_id
        self._data_path = config.data_path
        self._settings = settings
        self._is_stopped = False

    def cycle(self) -> float:
        """Clean up once; at once again when there may be more."""
        filters = {"site_id": [self._site_id], "state": ["JOB_FINISHED"], "pending_file_cleanup": True}
        limit = self._settings.cleanup_batch_size
        jobs = self._client.list_resources("job", Query(filters=filters, limit=limit)).results
        apps = self._client.list_resources("app", Query(filters={"site_id": [self._site_id]})).results
        patterns = {app["id"]: app["cleanup_files"] for app in apps}
        for job in jobs:
            if self._is_stopped:
                return 0.0
            clean(self._data_path, job["workdir"], patterns.get(job["app_id"], ()))
            self._client.update_resources("job", {job["id"]: {"pending_file_cleanup": False}})
        return 0.0 if len(jobs) == limit else self._settings.service_period

    def interrupt(self) -> None:
        """Clean up after no more jobs."""
        self._is_stopped = True

    def close(self) -> None:
        """Nothing is held."""


def clean(data_path: Path, workdir: str, patterns: Iterable[str]) -> list[Path]:
    """Delete the files in a working directory that match; return them. Nothing outside of it is touched."""
    top = os.path.realpath(data_path / workdir)
    if not top.startswith(os.path.realpath(data_path) + os.sep):
        return []
    deleted = []
    for pattern in patterns:
        if os.path.isabs(pattern) or ".." in Path(pattern).parts:
            logger.warning("The pattern %r is not below the working directory: left alone", pattern)
            continue
        for name in glob.glob(pattern, root_dir=top, recursive=True, include_hidden=True):
            path = Path(top, name)
            is_inside = is_below(os.path.realpath(path.parent), top)
            if is_inside and (path.is_symlink() or path.is_file()) and _delete(path):
                deleted.append(path)
    return deleted


def _delete(path: Path) -> bool:
    """Delete a file, and say whether it is; the log tells of one that cannot be, so that others go on."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("Cannot clean up: %s", error)
        return False
    return True

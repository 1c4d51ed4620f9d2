"""Log files of daemons: one a run beside the database, bounded in size, never on the root logger."""

import logging
import logging.handlers
import os
import time
from pathlib import Path

from balsam.exceptions import NoDatabaseError

__all__ = ["log_to_database_dir"]

_FORMAT = "%(asctime)s|%(process)d|%(levelname)s|%(name)s:%(lineno)s] %(message)s"
_TIME_FORMAT = "%d-%b-%Y %H:%M:%S"


def log_to_database_dir(
    basename: str, *, level: str = "INFO", max_bytes: int = 100 << 20, backups: int = 5
) -> Path:
    """Send what the `balsam` loggers say to ``<database>/log/<basename>_<time>.log``; return that path.

    Two runs that start in the same second get different files. Raises NoDatabaseError without an active
    database.
    """
    db_path = os.environ.get("BALSAM_DB_PATH", "")
    if not db_path:
        raise NoDatabaseError()
    directory = Path(db_path, "log")
    directory.mkdir(exist_ok=True)
    path = _fresh(directory, f"{basename}_{time.strftime('%Y-%m-%d_%H%M%S')}")
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=max_bytes, backupCount=backups)
    handler.setFormatter(logging.Formatter(_FORMAT, _TIME_FORMAT))
    logger = logging.getLogger("balsam")
    logger.addHandler(handler)
    logger.setLevel(level)
    return path


def _fresh(directory: Path, stem: str) -> Path:
    """Make a file that did not exist."""
    for name in (f"{stem}.log", f"{stem}.{os.getpid()}.log"):
        try:
            (directory / name).touch(mode=0o600, exist_ok=False)
        except FileExistsError:
            continue
        return directory / name
    return directory / f"{stem}.{os.getpid()}.log"

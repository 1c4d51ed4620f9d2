"""Logs of daemons and launchers, in the `log` directory of the database.

Each process writes a file of its own, bounded in size; only the logger ``balsam`` is touched, never the root
logger, which belongs to the program that imports Balsam.
"""

import contextlib
import itertools
import logging
import os
import time
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

from balsam.exceptions import ConfigError, DatabaseError, NoDatabaseError

__all__ = ["log_to_database_dir"]

_LINE = "%(asctime)s|%(process)d|%(levelname)s|%(name)s:%(lineno)d] %(message)s"
_TIME = "%d-%b-%Y %H:%M:%S"


class _DatabaseLog(RotatingFileHandler):
    """The handler of this module, which it knows again."""


def log_to_database_dir(
    basename: str,
    *,
    directory: Path | None = None,
    level: str = "INFO",
    size_limit_bytes: int = 100 * 2**20,
    backup_count: int = 5,
    line_format: str = "",
    time_format: str = "",
) -> Path:
    """Log to ``<database>/log/<basename>_<time>.log``, a new file, and return its path.

    With ``directory``, that of a site, to ``<directory>/log`` instead.

    A file that has reached the limit (0: none) is renamed to ``.1`` and so on, up to ``backup_count``. Called
    again, the process goes on in another new file. Formats are those of `logging`. Raises NoDatabaseError
    without an active database, DatabaseError when the file cannot be made, and ConfigError for an unknown
    level.
    """
    levels = logging.getLevelNamesMapping()
    if level.upper() not in levels:
        raise ConfigError(
            f"Cannot log at level {level!r}: it is not known. Set LOG_HANDLER_LEVEL in settings.json to one "
            "of DEBUG, INFO, WARNING, ERROR, CRITICAL."
        )
    home = directory or os.environ.get("BALSAM_DB_PATH")
    if not home:
        raise NoDatabaseError
    path = _new_file(Path(home).expanduser() / "log", basename)
    handler = _DatabaseLog(
        path,
        maxBytes=size_limit_bytes,
        backupCount=backup_count,
        encoding="utf-8",
        errors="backslashreplace",
    )
    handler.setFormatter(logging.Formatter(line_format or _LINE, time_format or _TIME))
    _replace_handler(handler)
    logging.getLogger("balsam").setLevel(levels[level.upper()])
    return path


def _new_file(directory: Path, basename: str) -> Path:
    """Make an empty file that no other process has."""
    try:
        directory.mkdir(exist_ok=True)
        names = _names(basename)
        while True:
            path = directory / next(names)
            with contextlib.suppress(FileExistsError):
                path.touch(exist_ok=False)
                return path
    except OSError as error:
        raise DatabaseError(
            f"Cannot write a log in {directory}: {error.strerror}. "
            "Check that BALSAM_DB_PATH names your database and that you may write there: "
            f"`ls -ld {directory}`."
        ) from error


def _names(basename: str) -> Iterator[str]:
    """Propose names for a file, plain ones first: by the second, by the process, then numbered."""
    stem = f"{basename}_{time.strftime('%Y-%m-%d_%H%M%S')}"
    yield f"{stem}.log"
    stem = f"{stem}.{os.getpid()}"
    yield f"{stem}.log"
    for number in itertools.count(2):
        yield f"{stem}.{number}.log"


def _replace_handler(handler: _DatabaseLog) -> None:
    logger = logging.getLogger("balsam")
    for former in [former for former in logger.handlers if isinstance(former, _DatabaseLog)]:
        logger.removeHandler(former)
        former.close()
    logger.addHandler(handler)

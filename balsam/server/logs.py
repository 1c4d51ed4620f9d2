"""Where the server writes what it does: a log that is begun anew when it has grown, or the terminal."""

import logging
import logging.handlers
from pathlib import Path

__all__ = ["log_path", "start_logging"]

_LONGEST_BYTES = 10 * 2**20
_KEPT = 5
_FORM = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_path(db_path: Path) -> Path:
    """Return the log of the server of a database."""
    return db_path / "log" / "rest-server.log"


def start_logging(path: Path | None) -> None:
    """Log to a file, which is set aside when it has grown, five times; None: to the terminal."""
    handler: logging.Handler = (
        logging.StreamHandler()
        if path is None
        else logging.handlers.RotatingFileHandler(path, maxBytes=_LONGEST_BYTES, backupCount=_KEPT)
    )
    logging.basicConfig(level=logging.WARNING, format=_FORM, handlers=[handler], force=True)
    for name in ("uvicorn", "balsam"):
        logging.getLogger(name).setLevel(logging.INFO)

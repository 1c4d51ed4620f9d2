"""Which database directory is active in this process."""

import os
from pathlib import Path

from balsam.exceptions import NoDatabaseError


def active_db_path() -> Path:
    """Return the directory BALSAM_DB_PATH names.

    Raises NoDatabaseError when the variable is unset or names no directory.
    """
    value = os.environ.get("BALSAM_DB_PATH", "")
    if not value:
        raise NoDatabaseError(
            "No database is active: BALSAM_DB_PATH is not set.\n"
            "Activate one with `. balsamactivate DIR`; `balsam which --list` shows the known ones.\n"
            "`balsam init DIR` makes a new one."
        )
    path = Path(value).expanduser()
    if not path.is_dir():
        raise NoDatabaseError(
            f"No database is active: BALSAM_DB_PATH is {value!r}, which is not a directory.\n"
            "Activate one with `. balsamactivate DIR`; `balsam which --list` shows the known ones.\n"
            "`balsam init DIR` makes a new one."
        )
    return path.resolve()

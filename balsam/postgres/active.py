"""Which database directory is active in this process: the one BALSAM_DB_PATH names."""

import os
from pathlib import Path

from balsam.exceptions import NoDatabaseError

VARIABLE = "BALSAM_DB_PATH"
_HOW_TO_ACTIVATE = (
    "Activate one with `. balsamactivate DIR`; `balsam which --list` shows the known ones.\n"
    "`balsam init DIR` makes a new one."
)


def active_db_path() -> Path:
    """Return the directory BALSAM_DB_PATH names.

    Raises NoDatabaseError when the variable is unset or names no directory.
    """
    value = os.environ.get(VARIABLE, "")
    if not value:
        raise NoDatabaseError(f"No database is active: {VARIABLE} is not set.\n{_HOW_TO_ACTIVATE}")
    path = Path(value).expanduser()
    if not path.is_dir():
        raise NoDatabaseError(
            f"No database is active: {VARIABLE} is {value!r}, which is not a directory.\n{_HOW_TO_ACTIVATE}"
        )
    return path.resolve()

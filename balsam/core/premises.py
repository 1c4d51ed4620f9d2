"""Whether this machine is one on which the jobs of the active database can run."""

import os

from balsam.core.workdirs import site_root
from balsam.exceptions import RefusedError


def check_files_are_here() -> None:
    """Raise RefusedError where the database's directory is not: on a client that reaches it by a tunnel."""
    root = site_root()
    if not os.path.isdir(root):
        raise RefusedError(
            f"Jobs cannot run here: their files are in {root}, which is not a directory of this machine.\n"
            "Run this where the database is: log in there, and `. balsamactivate` it."
        )

"""Where a user's own files are: `~/.balsam`, or what BALSAM_HOME names."""

import os
from pathlib import Path

from balsam.exceptions import ConfigError

__all__ = ["balsam_home"]


def balsam_home() -> Path:
    """Return the directory of the user's files, which need not exist."""
    if chosen := os.environ.get("BALSAM_HOME"):
        return Path(chosen).expanduser()
    try:
        return Path.home() / ".balsam"
    except RuntimeError as error:
        raise ConfigError(
            f"Cannot find your home directory: {error} Set HOME, or BALSAM_HOME to a directory of yours."
        ) from error

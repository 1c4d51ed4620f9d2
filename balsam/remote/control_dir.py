"""Where the sockets of shared ssh connections are: a short path, in a directory nobody else can enter."""

import os
import stat
from hashlib import sha256
from pathlib import Path

from balsam.config.home import balsam_home
from balsam.exceptions import ConfigError

#: The address of a socket holds 107 bytes; ssh makes it under a longer name first (17 bytes more).
_LONGEST = 107 - 17
_NAME_LENGTH = 18


def control_path(directory: Path, which: str) -> Path:
    """Return the socket of a connection that belongs to ``directory``; ``which`` tells its several ones.

    The folder is made. Raises ConfigError where there can be none.
    """
    digest = sha256(os.fsencode(directory)).hexdigest()[:12]
    return _private_dir() / f"{digest}-{which}"


def _private_dir() -> Path:
    candidates = [Path(f"/tmp/balsam-ssh-{os.geteuid()}"), balsam_home().absolute() / "ssh"]
    for path in candidates:
        if len(os.fsencode(path)) + _NAME_LENGTH <= _LONGEST and _is_mine_alone(path):
            return path
    raise ConfigError(
        f"No directory for the connection's socket: neither {candidates[0]} nor {candidates[1]} is short, and"
        " yours alone.\nSee whose they are (`ls -ld`); BALSAM_HOME may name a directory with a shorter path."
    )


def _is_mine_alone(path: Path) -> bool:
    """Make the directory; false where somebody else has made it, or it cannot be made."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False
        path.chmod(0o700)
    except OSError:
        return False
    return True

"""The remotes of this user: one directory each, below `remotes` among the user's files."""

import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from balsam.config.home import balsam_home
from balsam.exceptions import ConfigError, ConflictError, NotFoundError, UsageError
from balsam.lib.atomic import write_atomically
from balsam.remote.destination import Destination, parse_destination

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FILE = "remote.json"
#: Seconds between two looks at a tunnel.
CHECK_SEC = 15.0


@dataclass(frozen=True)
class Remote:
    """What the user has said of a remote; it changes only by his commands.

    ``answer_with`` is a program that answers what ssh asks ("": the user does). ``local_port`` is this
    machine's end of the tunnel (0: any that is free). ``check_sec`` are the seconds between two looks.
    """

    name: str
    destination: Destination
    answer_with: str = ""
    local_port: int = 0
    check_sec: float = CHECK_SEC

    @property
    def directory(self) -> Path:
        """The directory that `balsamactivate` takes."""
        return remotes_dir() / self.name


def remotes_dir() -> Path:
    """Directory of all remotes, which need not exist."""
    return balsam_home().absolute() / "remotes"


def check_name(name: str) -> None:
    """Raise UsageError for what cannot be the name of a remote."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a remote: it takes 1 to 64 letters, digits and . _ -\n"
            "`balsam remote add NAME user@host:/path/to/db`"
        )


def check_is_new(name: str) -> None:
    """Raise UsageError or ConflictError unless a remote may be added under that name."""
    check_name(name)
    if name in names():
        raise ConflictError(
            f"There is a remote {name!r} already: {load(name).destination}.\n"
            f"Choose another name, or remove that one with `balsam remote rm {name}`."
        )


def names() -> list[str]:
    """Return the names of all remotes, sorted."""
    return sorted(path.parent.name for path in remotes_dir().glob(f"*/{_FILE}"))


def load(name: str) -> Remote:
    """Return a remote. Raises UsageError, NotFoundError, or ConfigError for a damaged file."""
    check_name(name)
    path = remotes_dir() / name / _FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Remote(
            name,
            parse_destination(document["destination"]),
            answer_with=str(document["answer_with"]),
            local_port=int(document["local_port"]),
            check_sec=float(document["check_sec"]),
        )
    except FileNotFoundError as error:
        known = ", ".join(names()) or "none"
        raise NotFoundError(
            f"There is no remote {name!r}. Known: {known}.\n`balsam remote add {name} user@host:/path/to/db`"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, UsageError) as error:
        raise ConfigError(
            f"Cannot understand {path}: {error}\nRemove it with `balsam remote rm {name}`, and add it again."
        ) from error


def save(remote: Remote) -> None:
    """Write a remote down. Raises ConfigError when that is not possible."""
    document = {**asdict(remote), "destination": str(remote.destination)}
    try:
        remote.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        remote.directory.chmod(0o700)
        write_atomically(remote.directory / _FILE, json.dumps(document, indent=1) + "\n")
    except OSError as error:
        raise ConfigError(
            f"Cannot write {remote.directory}: {error.strerror or error}.\nMake it writable and try again."
        ) from error


def forget(name: str) -> None:
    """Remove the directory of a remote, with the copy of its password; one that is not there is fine."""
    check_name(name)
    shutil.rmtree(remotes_dir() / name, ignore_errors=True)

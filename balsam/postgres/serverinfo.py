"""The file `server-info`: where the server of a database is, and the credential to reach it.

A reader sees the whole old or the whole new file. Keys that Balsam does not know are kept, and a file that
cannot be understood is never overwritten.
"""

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from balsam.exceptions import DatabaseError, NoDatabaseError
from balsam.lib.atomic import write_atomically
from balsam.postgres.accounts import login_name
from balsam.postgres.layout import Layout

#: Only the owner may read the password.
MODE = 0o600


@dataclass(frozen=True)
class ServerInfo:
    """The contents of `server-info`.

    ``host`` is the short name of the server's host, ``port`` its TCP port (0: none known), ``user`` the role
    of the owner, ``socket_dir`` the directory of its socket on that host, ``instance_id`` a name of the
    database that no other has, ``db_path`` the directory it was written in. ``owner`` is who may start the
    server, in a file made for another user. ``extra`` holds all other keys, which belong to somebody else.
    """

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    socket_dir: str = ""
    instance_id: str = ""
    boot_id: str = ""
    pg_bin: str = ""
    db_path: str = ""
    owner: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "ServerInfo":
        """Build from a decoded file; raises ValueError that says which key is wrong."""
        host, port = document.get("host") or "", document.get("port") or 0
        if not isinstance(host, str):
            raise ValueError(f"host is {host!r}, not a name")
        if isinstance(port, bool) or not str(port).isdecimal() or int(port) > 65535:
            raise ValueError(f"port is {port!r}, not a number from 1 to 65535")
        texts = {name: document.get(name) or "" for name in _TEXT_KEYS}
        for name, value in texts.items():
            if not isinstance(value, str):
                raise ValueError(f"{name} is not a text")
        extra = {key: value for key, value in document.items() if key not in _KEYS}
        return cls(host=host, port=int(port), extra=extra, **texts)

    def to_json(self) -> dict[str, Any]:
        """Return the document that is written: the known keys, then the others."""
        return {name: getattr(self, name) for name in _KEYS} | dict(self.extra)


_KEYS = tuple(item.name for item in fields(ServerInfo) if item.name != "extra")
_TEXT_KEYS = tuple(name for name in _KEYS if name not in ("host", "port"))


def server_info_path(db_path: Path) -> Path:
    """Return the file that tells this user the way in: the owner's, else the one made for them."""
    layout = Layout(db_path)
    mine = layout.user_info(os.environ.get("BALSAM_USER") or login_name())
    is_a_guest = not os.access(layout.server_info, os.R_OK) and os.access(mine, os.R_OK)
    return mine if is_a_guest else layout.server_info


def read_server_info(db_path: Path) -> ServerInfo:
    """Read the `server-info` of a database directory, or the one made for this user.

    Raises NoDatabaseError where there is none, DatabaseError where it cannot be read or understood.
    """
    return parse_server_info(server_info_path(db_path))


def parse_server_info(path: Path) -> ServerInfo:
    """Read a file of that kind; raises as `read_server_info`."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ValueError(f"it holds {type(document).__name__}, not an object")
        return ServerInfo.from_json(document)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoDatabaseError(
            f"No database at {path.parent}: {path.name} is missing.\n"
            "Make one with `balsam init DIR`; `balsam which --list` shows the known ones."
        ) from error
    except OSError as error:
        raise DatabaseError(
            f"Cannot read {path}: {error.strerror}. Only the owner of the database may.\n"
            f"Ask them to let you in: `balsam server --add-user {shlex.quote(login_name())}`."
        ) from error
    except ValueError as error:  # also of json and of UTF-8
        raise DatabaseError(
            f"Cannot understand {path}: {error}.\n"
            "It was left as it is. Restore it from a copy, or move it away and run"
            f" `balsam init {path.parent}`, which keeps the data and writes a new one."
        ) from error


def protect_server_info(db_path: Path) -> bool:
    """Let only the owner read `server-info`; True if others could until now. No-op for other users."""
    path = db_path / "server-info"
    found = path.stat()
    if found.st_uid != os.geteuid() or not found.st_mode & 0o077:
        return False
    path.chmod(MODE)
    return True


def write_server_info(db_path: Path, info: ServerInfo) -> None:
    """Write `server-info` (mode 0600) as one line, replacing the old file in one step."""
    write_atomically(db_path / "server-info", server_info_text(info), MODE)


def server_info_text(info: ServerInfo) -> str:
    """Return the contents of the file: one line."""
    return json.dumps(info.to_json()) + "\n"

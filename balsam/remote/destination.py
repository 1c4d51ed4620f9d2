"""Where a database on another machine is: user, host, port of its ssh server, and directory."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from balsam.exceptions import UsageError

#: A host, or an alias of the user's ssh configuration; never something that looks like an option.
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.%:-]*")
_USER = re.compile(r"[A-Za-z0-9_][^\s@:/]*")
_LIKE_SCP = re.compile(r"(?:(?P<user>[^@/]*)@)?(?:\[(?P<v6>[^]]*)\]|(?P<host>[^:/@]*)):(?P<path>.*)", re.S)
_LIKE_URL = re.compile(
    r"ssh://(?:(?P<user>[^@/]*)@)?(?:\[(?P<v6>[^]]*)\]|(?P<host>[^:/@]*))(?::(?P<port>\d*))?(?P<path>/.*)?",
    re.S,
)
_HOW = "Give it as user@host:/path/to/db, or as ssh://user@host:port/path/to/db."


@dataclass(frozen=True)
class Destination:
    """A database directory, and how ssh reaches its host.

    ``path`` is absolute, or relative to the home directory there. ``user`` "" and ``port`` 0: what the user's
    ssh configuration says.
    """

    host: str
    path: str
    user: str = ""
    port: int = 0

    @property
    def login(self) -> str:
        """What a person types after `ssh`."""
        words = f"{self.user}@{self.host}" if self.user else self.host
        return f"-p {self.port} {words}" if self.port else words

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        login = f"{self.user}@{host}" if self.user else host
        if not self.port:
            return f"{login}:{self.path}"
        path = quote(self.path)
        if not self.path.startswith("/"):
            path = f"/~/{path}"
        elif path.startswith("/~"):  # a directory of that name, not somebody's home
            path = path.replace("~", "%7E", 1)
        return f"ssh://{login}:{self.port}{path}"


def parse_destination(text: str) -> Destination:
    """Read ``user@host:path`` or ``ssh://user@host:port/path``; raises UsageError that says what is wrong."""
    found = _LIKE_URL.fullmatch(text) if text.startswith("ssh://") else _LIKE_SCP.fullmatch(text)
    if found is None:
        raise _wrong(text, "it names no host and directory")
    parts = found.groupdict()
    host, user = parts["v6"] or parts["host"] or "", parts["user"]
    if not _HOST.fullmatch(host):
        raise _wrong(text, f"{host!r} is no name of a host")
    if user is not None and not _USER.fullmatch(user):
        raise _wrong(text, f"{user!r} is no name of a user")
    port, path = parts.get("port"), parts["path"] or ""
    if port is not None and not 0 < int(port or 0) < 2**16:
        raise _wrong(text, f"{port!r} is no port, which is a number from 1 to 65535")
    if text.startswith("ssh://"):
        path = unquote(path[1:] if path.startswith("/~") else path)
    return Destination(host, _directory(text, path), user or "", int(port or 0))


def _directory(text: str, path: str) -> str:
    """Return the directory without `~/`, which is the same, and without the file in it that people name."""
    if not path.isprintable():
        raise _wrong(text, "its directory has characters that cannot be shown")
    shortened = path.removesuffix("/server-info").rstrip("/") or path[:1]
    if shortened.startswith("~") and shortened != "~" and not shortened.startswith("~/"):
        raise _wrong(text, f"the home directory in {path!r} is somebody else's; write it out")
    shortened = shortened.removeprefix("~").lstrip("/") if shortened.startswith("~") else shortened
    if not shortened:
        raise _wrong(text, "it names no directory")
    return shortened


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(f"{text!r} is no place of a database: {why}.\n{_HOW}")

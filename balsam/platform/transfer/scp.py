"""Command lines of scp, and of ssh around it, so that a file appears at the other end whole or not at all.

With names that a remote shell could misread, scp has to speak SFTP (-s, OpenSSH 8.7), which no shell sees.
"""

import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace

from balsam.platform.transfer.contract import CommandLine, Move, Place

__all__ = [
    "bring",
    "bytes_in",
    "is_missing",
    "is_unexplained",
    "look_at",
    "look_for_room",
    "place_at",
    "prepare",
    "send",
    "temporary_name",
]

_PLAIN = re.compile(r"[\w@%+=:,./~-]+", re.ASCII)
_WILD = re.compile(r"([\\*?\[\]{}])")
_MISSING = re.compile(r"No such file or directory|not a regular file|Permission denied|Is a directory")


def bring(place: Place, move: Move, directory: str, ssh: Sequence[str]) -> CommandLine:
    """Copy what a move names into an empty directory."""
    remote = move.remote if move.is_pattern else _WILD.sub(r"\\\1", move.remote)
    words = _scp(place, move, ssh, remote)
    return CommandLine([*words, "--", f"{_host(place)}:{remote}", directory + "/"])


def prepare(place: Place, directory: str, ssh: Sequence[str]) -> CommandLine:
    """Make a directory at the other end."""
    return _there(place, f"mkdir -p -- {shlex.quote(directory or '.')}", ssh)


def send(place: Place, move: Move, local: str, temporary: str, ssh: Sequence[str]) -> CommandLine:
    """Copy a file or directory to a temporary name at the other end."""
    words = _scp(place, move, ssh, temporary)
    return CommandLine([*words, "--", local, f"{_host(place)}:{temporary}"])


def place_at(place: Place, temporary: str, path: str, ssh: Sequence[str]) -> CommandLine:
    """Rename what has arrived; a directory that is there already is added to."""
    old, new = shlex.quote(temporary), shlex.quote(path)
    merge = f"cp -Rp -- {old}/. {new}/ && rm -rf -- {old}"
    return _there(place, f"if [ -d {old} ] && [ -d {new} ]; then {merge}; else mv -f -- {old} {new}; fi", ssh)


def is_unexplained(stderr: str) -> bool:
    """Say whether the other end could not write and SFTP has no word for why, as for a full disk."""
    return re.search(r"\b(?i:failure)\b", stderr) is not None


def look_for_room(place: Place, temporary: str, ssh: Sequence[str]) -> CommandLine:
    """Write a little at the other end, to be told of a full disk in the system's words."""
    path = shlex.quote(f"{temporary}.room")
    return replace(
        _there(place, f"cat > {path}; code=$?; rm -f -- {path}; exit $code", ssh), stdin=bytes(1 << 16)
    )


def look_at(place: Place, path: str, ssh: Sequence[str]) -> CommandLine:
    """Ask how much there is of a file or directory; see `bytes_in`."""
    return _there(place, f"du -sk -- {shlex.quote(path)}", ssh)


def bytes_in(stdout: str) -> int:
    """Return the bytes that the answer to `look_at` tells of; 0 where it tells of none."""
    found = re.match(r"(\d+)\s", stdout)
    return 1024 * int(found[1]) if found else 0


def temporary_name(path: str, item_id: int) -> str:
    """Name what is not whole yet, beside its place."""
    return posixpath.join(posixpath.dirname(path), f".balsam-{item_id}-{posixpath.basename(path)}"[:200])


def is_missing(stderr: str) -> bool:
    """Say whether trying again is of no use."""
    return _MISSING.search(stderr) is not None


def _scp(place: Place, move: Move, ssh: Sequence[str], remote: str) -> list[str]:
    sftp = [] if _PLAIN.fullmatch(remote) else ["-s"]
    return ["scp", "-pq", *(["-r"] if move.recursive else []), *sftp, *ssh]


def _there(place: Place, script: str, ssh: Sequence[str]) -> CommandLine:
    return CommandLine(["ssh", *ssh, "-T", "--", _login(place), script])


def _login(place: Place) -> str:
    return f"{place.user}@{place.host}" if place.user else place.host


def _host(place: Place) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    return f"{place.user}@{host}" if place.user else host

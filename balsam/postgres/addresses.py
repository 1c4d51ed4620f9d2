"""Where a server listens: a port that stays the same, and a socket in a directory nobody else can enter.

A socket directory is used only if it belongs to the server's account, has mode 0700 and is no symbolic link:
others may have made one of that name first.
"""

import os
import secrets
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import chain
from pathlib import Path

from balsam.exceptions import DatabaseError
from balsam.postgres.accounts import Account
from balsam.postgres.connecting import LOOPBACK

#: The address of a socket holds 107 bytes on Linux and 103 on macOS, with `/.s.PGSQL.<port>` at its end.
LONGEST_SOCKET_DIR = 87
#: Below the ports that systems hand out to outgoing connections (from 32768 on Linux, 49152 elsewhere).
PORTS = range(20000, 32000)


def first_port() -> int:
    """Return a free port, by chance, for a new database."""
    return next_free_port(PORTS.start + secrets.randbelow(len(PORTS)))


def next_free_port(wanted: int) -> int:
    """Return ``wanted`` if nobody listens there, else the next port that is free.

    It may be taken again before the server has it: the server's start tells.
    """
    start = wanted if wanted in PORTS else PORTS.start
    for port in chain((wanted,), range(start, PORTS.stop), range(PORTS.start, start)):
        if is_free(port):
            return port
    raise DatabaseError(
        f"All TCP ports from {PORTS.start} to {PORTS.stop - 1} of this host are taken.\n"
        "End some of the programs that listen on them, and try again."
    )


def is_free(port: int) -> bool:
    """Say whether a server could listen on ``port`` of this host's loopback interface."""
    if not port:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def prepare_socket_dir(preferred: Path, account: Account) -> Path:
    """Return a private directory for the socket, made if need be: ``preferred``, or a short one in /tmp.

    No server is using it: what one that was killed has left there is removed.
    """
    for candidate in socket_dir_candidates(preferred, account.uid):
        if _is_usable_name(candidate) and _make_private(candidate, account) and _takes_sockets(candidate):
            _clear(candidate)
            return candidate
    raise DatabaseError(
        f"No directory for the server's socket: neither {preferred} nor /tmp can hold one.\n"
        "Free some space in /tmp, or make it writable."
    )


def socket_dir_candidates(preferred: Path, uid: int) -> Iterator[Path]:
    """Yield directories to try: the last name is one that nobody can have foreseen."""
    yield preferred
    short = f"/tmp/balsam-{uid}-{sha256(os.fsencode(preferred)).hexdigest()[:16]}"
    yield Path(short)
    yield Path(f"{short}-{secrets.token_hex(4)}")


def discard_socket_dir(socket_dir: Path, preferred: Path) -> None:
    """Remove the directory of a server that has stopped, unless it lies in the database directory."""
    if socket_dir not in (preferred, Path()):
        with suppress(OSError):  # gone already, or something else is in it
            socket_dir.rmdir()


def _is_usable_name(path: Path) -> bool:
    """Short enough, and free of what would need quoting in the server's configuration."""
    name = str(path)
    return len(os.fsencode(name)) <= LONGEST_SOCKET_DIR and all(c.isalnum() or c in "/._-+" for c in name)


def _make_private(path: Path, account: Account) -> bool:
    """Make the directory, or check the one that is there; False if it cannot be trusted."""
    try:
        path.mkdir(mode=0o700)
        account.own(path)
    except FileExistsError:
        pass
    except OSError:
        return False
    return is_private(path, {account.uid, os.geteuid()}, account)


def is_private(path: Path, owners: set[int], account: Account) -> bool:
    """Say whether ``path`` is a directory that only one of ``owners`` can enter; hands it to the account."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
        return False
    account.own(path)
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)
    return True


def _clear(socket_dir: Path) -> None:
    """Remove the sockets of a dead server, and their lock files, which name a pid that may be anybody's."""
    for path in socket_dir.glob(".s.PGSQL.*"):
        path.unlink(missing_ok=True)


def _takes_sockets(path: Path) -> bool:
    """Say whether the file system holds sockets."""
    name = path / f".probe-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(str(name))
        except OSError:
            return False
        finally:
            with suppress(FileNotFoundError):
                name.unlink()
    return True

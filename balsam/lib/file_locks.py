"""Let one process of this host at a time do something, by a lock on a file.

The lock ends with its holder, whatever ends that, so it can never be stale.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from balsam.lib.waiting import wait_for

__all__ = ["file_lock"]

#: What file systems without locks answer (Lustre mounted without -o flock, some NFS).
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


@contextmanager
def file_lock(path: Path, patience_sec: float) -> Iterator[None]:
    """Hold the lock on ``path``, a file that is made if it is missing.

    Where the file system has no locks, a file on this host's own disk stands in. Raises TimeoutError when
    somebody else holds it for ``patience_sec``, OSError when the file cannot be opened.
    """
    descriptor = _open(path)
    try:
        if not _lock(descriptor, patience_sec):
            os.close(descriptor)
            descriptor = _open(_local_stand_in(path))
            _lock(descriptor, patience_sec)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _lock(descriptor: int, patience_sec: float) -> bool:
    """Lock an open file; False where its file system has no locks."""
    try:
        is_locked = wait_for(lambda: _try_lock(descriptor), patience_sec)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    if not is_locked:
        raise TimeoutError(f"somebody else held the lock for {patience_sec:.0f} s")
    return True


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _local_stand_in(path: Path) -> Path:
    """Name a lock file for the same path on this host's own disk."""
    return Path(f"/tmp/balsam-{os.geteuid()}-{sha256(os.fsencode(path)).hexdigest()[:16]}.lock")

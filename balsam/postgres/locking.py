"""Let one process of this host at a time start or stop a server.

The lock ends with its holder, so it can never be stale. Other hosts are kept off by `ownership`.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from balsam.exceptions import ConflictError
from balsam.postgres.waiting import wait_for

#: Longer than a start after a crash.
PATIENCE_SEC = 330.0
#: What file systems that know no locks answer (Lustre without -o flock, some NFS).
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)


@contextmanager
def only_one(lock_path: Path, patience_sec: float = PATIENCE_SEC) -> Iterator[None]:
    """Hold the lock; waits for another holder, and raises ConflictError after ``patience_sec``."""
    descriptor = _open(lock_path)
    try:
        if not _lock(descriptor, patience_sec, lock_path):
            os.close(descriptor)
            descriptor = _open(_local_stand_in(lock_path))
            _lock(descriptor, patience_sec, lock_path)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _lock(descriptor: int, patience_sec: float, lock_path: Path) -> bool:
    """Lock an open file; False where the file system has no locks."""
    try:
        if wait_for(lambda: _try_lock(descriptor), patience_sec):
            return True
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    raise ConflictError(
        f"Another process is busy with the server of {lock_path.parent} for more than {patience_sec:.0f} s.\n"
        f"It holds the lock {lock_path}: `fuser {lock_path}` names it. Wait for it, or end it, and try again."
    )


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _local_stand_in(lock_path: Path) -> Path:
    """Name a lock for the same directory on this host's own disk."""
    return Path(f"/tmp/balsam-{os.geteuid()}-{sha256(os.fsencode(lock_path)).hexdigest()[:16]}.lock")

"""Let one process of this host at a time start or stop a server; `ownership` keeps other hosts off."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from balsam.exceptions import ConflictError, DatabaseError
from balsam.lib.file_locks import file_lock

#: Longer than a start after a crash.
PATIENCE_SEC = 330.0


@contextmanager
def only_one(lock_path: Path, patience_sec: float = PATIENCE_SEC) -> Iterator[None]:
    """Hold the lock of a server; waits for another holder, and raises ConflictError after ``patience_sec``.

    Raises DatabaseError when the lock cannot be made.
    """
    with ExitStack() as held:
        try:
            held.enter_context(file_lock(lock_path, patience_sec))
        except TimeoutError as error:
            raise ConflictError(
                f"Another process held the server of {lock_path.parent} for {patience_sec:.0f} s.\n"
                f"It holds {lock_path}: `fuser {lock_path}` names it. Wait for it, or end it, and try again."
            ) from error
        except OSError as error:
            raise DatabaseError(
                f"Cannot lock {lock_path}: {error.strerror}.\n"
                f"The owner of {lock_path.parent} must be able to write there."
            ) from error
        yield

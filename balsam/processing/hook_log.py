"""The log a hook writes in its job's working directory.

It is always a new file: what a link of its name leads to, such as a parent's log, is never written to.
"""

import errno
import os
import stat

from balsam.exceptions import StepError

__all__ = ["HookLog"]

#: More than the last lines of any sensible log; bounds what is read of one without line ends.
_TAIL_BYTES = 16_384


class HookLog:
    """An open log, which begins with comment lines that say what it is about."""

    def __init__(self, directory: str, name: str, comments: list[str]) -> None:
        """Create it in place of an older one; raises StepError when that cannot be."""
        self.path = os.path.join(directory, name)
        header = "".join(f"# {' '.join(comment.split())}\n" for comment in comments)
        try:
            _remove_old(self.path)
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            self._start = os.write(self._descriptor, header.encode(errors="surrogateescape"))
        except (OSError, ValueError) as error:
            cause = (
                os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)
            )
            raise StepError(
                f"Cannot write the log {self.path}: {cause}. "
                "Free the name or the directory, then run the job again."
            ) from error

    def fileno(self) -> int:
        """Return the descriptor to which the hook writes."""
        return self._descriptor

    def tail(self, lines: int) -> str:
        """Return the last lines that were written after the comments."""
        size = os.fstat(self._descriptor).st_size
        start = max(self._start, size - _TAIL_BYTES)
        text = os.pread(self._descriptor, _TAIL_BYTES, start).decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def close(self) -> None:
        """Close this process's descriptor."""
        os.close(self._descriptor)

    def __enter__(self) -> "HookLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _remove_old(path: str) -> None:
    try:
        is_directory = stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if is_directory:
        raise IsADirectoryError(errno.EISDIR, "is a directory", path)
    os.unlink(path)

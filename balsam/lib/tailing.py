"""Read the end of a file, and what is appended to it, as bytes; a file that is replaced is read on."""

import os
import stat
from pathlib import Path

from balsam.exceptions import UsageError

__all__ = ["Tail"]

#: Bytes read at once.
BLOCK = 1 << 20
#: What is put in the place of a file may block whoever opens it.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class Tail:
    """One file by its path; it may appear later.

    ``last_lines`` bounds what is shown of what is in it when it is first seen; None: everything.
    """

    def __init__(self, path: Path, last_lines: int | None = None) -> None:
        self.path = path
        self._last_lines = last_lines
        self._descriptor: int | None = None
        self._inode = 0

    def read_new(self) -> bytes:
        """Return what is new, at most `BLOCK`; b'' when nothing is, for now.

        Raises UsageError when something that is no file is in its place.
        """
        if self._descriptor is None and not self._open():
            return b""
        assert self._descriptor is not None
        new = os.read(self._descriptor, BLOCK)
        if new:
            return new
        if os.fstat(self._descriptor).st_size < os.lseek(self._descriptor, 0, os.SEEK_CUR):
            os.lseek(self._descriptor, 0, os.SEEK_SET)  # it was cut
        elif self._is_replaced():
            self.close()
            self._last_lines = None
        else:
            return b""
        return self.read_new()

    def _open(self) -> bool:
        try:
            descriptor = os.open(self.path, _FLAGS)
        except FileNotFoundError:
            return False
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise UsageError(f"{self.path} is no file that could be read.")
        self._descriptor, self._inode = descriptor, status.st_ino
        if self._last_lines is not None:
            os.lseek(descriptor, _start_of(descriptor, status.st_size, self._last_lines), os.SEEK_SET)
        return True

    def _is_replaced(self) -> bool:
        try:
            return self.path.stat().st_ino != self._inode
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _start_of(descriptor: int, size: int, num_lines: int) -> int:
    """Return where the last lines begin; a last line without its end counts."""
    end = size - 1 if size and os.pread(descriptor, 1, size - 1) == b"\n" else size
    if not num_lines:
        return size
    while end > 0:
        start = max(0, end - BLOCK)
        block = os.pread(descriptor, end - start, start)
        at = len(block)
        while (at := block.rfind(b"\n", 0, at)) >= 0:
            num_lines -= 1
            if not num_lines:
                return start + at + 1
        end = start
    return 0

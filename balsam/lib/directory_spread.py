"""Keep the files of a database away from what others create and delete beside it; a hint, never needed.

ext4 puts a new directory into the block group of its parent. Where many files were deleted there within the
last minutes, and the file system has no journal (cloud machines), each new file costs up to 1 ms of CPU
instead of 0.02 ms.
"""

import contextlib
import fcntl
import os
import struct
import sys
from pathlib import Path

__all__ = ["spread_subdirectories"]

#: From linux/fs.h, where a long has 8 bytes.
_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_SETFLAGS = 0x40086602
_FS_TOPDIR_FL = 0x00020000


def spread_subdirectories(directory: Path) -> None:
    """Let directories that are made in this one from now on have block groups of their own, as `chattr +T`.

    Does nothing where the file system knows no such thing.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):  # no ext4, or not ours
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            raw = fcntl.ioctl(descriptor, _FS_IOC_GETFLAGS, struct.pack("l", 0))
            flags = struct.unpack("l", raw)[0] | _FS_TOPDIR_FL
            fcntl.ioctl(descriptor, _FS_IOC_SETFLAGS, struct.pack("l", flags))
        finally:
            os.close(descriptor)

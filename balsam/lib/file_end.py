"""Read the end of a file of a job or batch job, whatever has been made of the file."""

import os
import stat

__all__ = ["last_lines", "output_tail"]

MAX_BYTES = 4096


def last_lines(text: str, count: int) -> str:
    """Return the last lines of a text."""
    return "\n".join(text.splitlines()[-count:]) if count else ""


def output_tail(path: str) -> str:
    """Return the last lines of a file, at most 4096 bytes; empty if it is no readable file."""
    try:
        # a job may have put a pipe or device in its place: never wait for one
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return ""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return ""
        start = max(0, status.st_size - MAX_BYTES)
        data = os.pread(descriptor, MAX_BYTES, start)
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    return "\n".join(data.decode(errors="replace").replace("\0", "�").splitlines())

"""Open directories below another one step by step, so that no link on the way can lead elsewhere.

What is opened stays what it was, whatever is renamed or linked meanwhile: files are named relative to it.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

__all__ = ["FOLLOW", "NO_FOLLOW", "is_below", "open_below", "relative_parts"]

FOLLOW = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
NO_FOLLOW = FOLLOW | os.O_NOFOLLOW


def is_below(path: str, directory: str) -> bool:
    """Say whether a path is a directory or in it, by its name alone: no link is looked at."""
    return f"{path.rstrip('/')}/".startswith(f"{directory.rstrip('/')}/")


def relative_parts(path: str) -> list[str]:
    """Split a relative path; raises ValueError for one that is absolute, or leads upward."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise ValueError(f"{path!r} leads out of its directory")
    return parts


@contextmanager
def open_below(root: str, parts: Sequence[str], *, make: bool) -> Iterator[int]:
    """Give a descriptor of the directory ``root/parts…``; ``make`` makes what is missing.

    The root itself may be a link. Raises OSError: ELOOP where a part is a link, ENOTDIR for a file.
    """
    descriptor = _open_root(root, make=make)
    try:
        for part in parts:
            below = _open_part(descriptor, part, make=make)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def _open_root(root: str, *, make: bool) -> int:
    try:
        return os.open(root, FOLLOW)
    except FileNotFoundError:
        if not make:
            raise
    os.makedirs(root, exist_ok=True)
    return os.open(root, FOLLOW)


def _open_part(directory: int, name: str, *, make: bool) -> int:
    try:
        try:
            return os.open(name, NO_FOLLOW, dir_fd=directory)
        except FileNotFoundError:
            if not make:
                raise
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=directory)
        return os.open(name, NO_FOLLOW, dir_fd=directory)
    except NotADirectoryError as error:
        if _is_link(directory, name):
            raise OSError(errno.ELOOP, "it is a link", name) from error
        raise


def _is_link(directory: int, name: str) -> bool:
    try:
        os.readlink(name, dir_fd=directory)
    except OSError:
        return False
    return True

"""How large what was taken out is."""

import os

__all__ = ["size_of"]


def size_of(path: str) -> int:
    """Return the bytes of a file, or of all files of a tree."""
    if not os.path.isdir(path):
        return os.stat(path).st_size
    return sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _, files in os.walk(path) for name in files
    )

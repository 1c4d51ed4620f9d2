"""Find the program a command names, as a shell would, and remember where it was."""

import os
import stat

from balsam.exceptions import JobStartError

__all__ = ["ExecutableFinder"]

#: Different programs remembered; a run uses few.
_MAX_REMEMBERED = 4096


class ExecutableFinder:
    """Looks names up on a PATH; what was found is remembered until :meth:`forget`."""

    def __init__(self) -> None:
        self._found: dict[tuple[bytes | None, str], str] = {}

    def find(self, name: str, path: bytes | None) -> str:
        """Return the file to execute; raises JobStartError when ``path`` leads to none.

        A name with a slash is returned as it is: relative to the current directory, existing or not.
        """
        if "/" in name:
            return name
        found = self._found.get((path, name))
        return found if found is not None else self._search(name, path)

    def forget(self) -> None:
        """Look everything up anew: a program has moved."""
        self._found.clear()

    def _search(self, name: str, path: bytes | None) -> str:
        search_path = os.defpath if path is None else os.fsdecode(path)
        denied = ""
        for directory in search_path.split(os.pathsep):
            candidate = os.path.join(directory, name) if directory else os.path.join(".", name)
            if not is_file(candidate):
                continue
            if os.access(candidate, os.X_OK):
                if os.path.isabs(candidate) and len(self._found) < _MAX_REMEMBERED:
                    self._found[path, name] = candidate
                return candidate
            denied = denied or candidate
        if denied:
            raise JobStartError(
                f"Cannot start {name!r}: {denied} is not executable. Make it so with `chmod +x {denied}`."
            )
        raise JobStartError(
            f"Cannot start {name!r}: no such program on PATH ({search_path}). "
            "Give the application's executable with its full path, or load its environment "
            "before `balsam launcher` or in the envscript."
        )


def is_file(path: str) -> bool:
    """Say whether ``path`` leads to a regular file."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False

"""Read the lists of file name patterns that users write, and find what they match.

A pattern of `matches_inside` never leads out of its directory by its text.
"""

import glob
import os
import shlex

from balsam.exceptions import StepError

__all__ = ["matches", "matches_inside", "words"]


def words(text: str) -> list[str]:
    """Split at blanks; quotes keep a word with blanks together, where they are balanced."""
    try:
        return shlex.split(text)
    except ValueError:  # a single quote in a file name
        return text.split()


def matches(path: str) -> list[str]:
    """Return the paths that match a pattern, sorted, or the one that has exactly this name.

    As in a shell, ``*`` does not match names that begin with a dot.
    """
    trimmed = path.rstrip("/") or path
    return _or_itself(sorted(glob.glob(trimmed)), trimmed, is_there=os.path.lexists(trimmed))


def matches_inside(directory: str, pattern: str) -> list[str]:
    """Return the names below ``directory`` that match, sorted and relative to it.

    Raises StepError for a pattern that leads out of the directory, or to the directory itself.
    """
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    if pattern.startswith("/") or ".." in parts:
        raise StepError(
            f"The pattern {pattern!r} leads out of the working directory {directory}, which is not allowed. "
            "Give patterns relative to that directory, without '..'."
        )
    if not parts:
        raise StepError(
            f"The pattern {pattern!r} names the working directory itself. Write '*' for all files in it."
        )
    trimmed = "/".join(parts)
    found = sorted(glob.glob(trimmed, root_dir=directory))
    return _or_itself(found, trimmed, is_there=os.path.lexists(os.path.join(directory, trimmed)))


def _or_itself(found: list[str], name: str, *, is_there: bool) -> list[str]:
    """Take a pattern for the name of a file where there is one that it does not match: ``a[1]``."""
    return [name] if is_there and name not in found else found

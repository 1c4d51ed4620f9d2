"""A word that stands for the Python interpreter of whoever starts a command line.

A command line is kept in a database, and started on another machine: only there it is known where Balsam is.
"""

import sys

__all__ = ["OWN_PYTHON", "with_own_python"]

OWN_PYTHON = "balsam-python"


def with_own_python(words: list[str]) -> list[str]:
    """Put this process's interpreter in the place of the word, where the command begins with it."""
    return [sys.executable, *words[1:]] if words[:1] == [OWN_PYTHON] else words

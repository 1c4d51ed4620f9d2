"""Say in plain words why a job is where it is, and what to type next.

`gathering` reads facts from the tables; everything else is pure: `deciding` turns facts into words, a module
for each part of a job's life.
"""

from balsam.core.explain.asking import explanation

__all__ = ["explanation"]

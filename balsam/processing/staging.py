"""Stage files of this machine into a job's working directory, and its results out of it.

Each file arrives whole or not at all, and nothing else in either place is touched.
"""

import os
import re

from balsam.exceptions import StepError
from balsam.processing.copying import Copier, is_same
from balsam.processing.interruption import Interruption
from balsam.processing.patterns import matches, matches_inside, words
from balsam.schemas.jobs import StepSpec

__all__ = ["local_path", "stage_in", "stage_out"]

#: What stands before the first colon names a transport, unless it is part of a path.
_TRANSPORT = re.compile(r"([^/~:]*):(.*)", re.DOTALL)


def stage_in(spec: StepSpec, interruption: Interruption) -> list[str]:
    """Copy what ``stage_in_url`` names into the working directory; return notes for the history.

    A directory is copied as such, ``directory/*`` what it contains. Relative paths are seen from this
    process's current directory. Raises StepError, also when a pattern matches nothing.
    """
    sources: list[str] = []
    for url in words(spec.stage_in_url):
        found = matches(local_path(url))
        if not found:
            raise StepError(
                f"Nothing to stage in: {url!r} matches no file or directory on this machine. "
                "Correct the job's stage_in_url, then set its state to CREATED."
            )
        sources += found
    return _copy_all(sources, Copier(spec.workdir, interruption, stays_inside=True))


def stage_out(spec: StepSpec, interruption: Interruption) -> list[str]:
    """Copy what ``stage_out_files`` matches in the working directory to each ``stage_out_url``.

    Returns notes for the history: patterns that match nothing are no error. Raises StepError, also when a
    destination is no existing directory.
    """
    notes: list[str] = []
    sources: list[str] = []
    for pattern in words(spec.stage_out_files):
        found = matches_inside(spec.workdir, pattern)
        if not found:
            notes.append(f"Nothing to stage out matches {pattern!r}")
        sources += [os.path.join(spec.workdir, name) for name in found]
    if not sources:
        return notes
    destinations = [_destination(url) for url in words(spec.stage_out_url)]
    for destination in destinations:
        notes += _copy_all(sources, Copier(destination, interruption))
    return notes


def local_path(url: str) -> str:
    """Return the path that a bare path or ``local:PATH`` names, with ``~`` expanded.

    Raises StepError for every other transport.
    """
    found = _TRANSPORT.fullmatch(url)
    if found is None:
        return os.path.expanduser(url)
    transport, path = found.groups()
    if transport.lower() != "local":
        raise StepError(
            f"Cannot stage {url!r}: the transport {transport!r} is not available yet, "
            "only files of this machine are. Give `local:PATH` (also for a path with a colon), "
            "or a path that begins with '/' or '~'."
        )
    if not path:
        raise StepError(f"Cannot stage {url!r}: no path follows the colon. Write `local:PATH`.")
    return os.path.expanduser(path)


def _destination(url: str) -> str:
    path = local_path(url)
    if not os.path.isdir(path):
        raise StepError(
            f"Cannot stage out to {url!r}: {path} is not an existing directory. "
            f"Make it with `mkdir -p {path}`, then set the job's state to RUN_DONE."
        )
    return path


def _copy_all(sources: list[str], copier: Copier) -> list[str]:
    by_name: dict[str, str] = {}
    for source in dict.fromkeys(sources):
        name = os.path.basename(source)
        if name in by_name and not is_same(source, by_name[name]):
            raise StepError(
                f"Both {by_name[name]} and {source} would be copied to "
                f"{os.path.join(copier.directory, name)}. "
                "Rename one, or name the directories that hold them."
            )
        by_name[name] = source
    for source in by_name.values():
        copier.copy(source)
    return copier.notes

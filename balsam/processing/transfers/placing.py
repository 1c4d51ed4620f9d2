"""Put what has arrived into a working directory, and nowhere else, whatever links are in the way."""

import errno
import os
import posixpath
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from balsam.exceptions import StepError
from balsam.lib.beneath import open_below, relative_parts
from balsam.platform.transfer import Placing
from balsam.processing.copying import Copier, put, put_contents
from balsam.processing.interruption import Interruption
from balsam.schemas.transfers import TransferSpec

__all__ = ["opened", "pair_of_one_name", "place_arrived", "workdir_parts"]


def workdir_parts(spec: TransferSpec) -> tuple[str, list[str]]:
    """Return the directory that holds the working directory for certain, and the way from there.

    That is the data directory of the site; a working directory that its user has chosen is one itself.
    """
    workdir, top = os.path.normpath(spec.workdir), spec.data_path + "/"
    if not workdir.startswith(top):
        return spec.workdir, []
    return spec.data_path, relative_parts(workdir[len(top) :])


def place_arrived(
    spec: TransferSpec,
    paths: Sequence[str],
    interruption: Interruption,
    how: Placing,
    progress: Callable[[int], None] | None = None,
) -> tuple[int, list[str]]:
    """Put files and directories to where the transfer wants them; return the bytes, and notes.

    A directory is merged into one that is there. ``progress`` is told the bytes copied so far. Raises
    StepError, StepInterrupted.
    """
    _refuse_namesakes(spec, paths)
    root, way = workdir_parts(spec)
    copier = Copier(spec.workdir, interruption, stays_inside=True, moves=how == "move", progress=progress)
    for source in paths:
        parts, name = _target(spec, source, links=how == "link")
        with opened(root, [*way, *parts], spec.workdir) as directory:
            copier.directory = os.path.join(spec.workdir, *parts)
            if how == "link":
                _link(source, directory, name)
            elif name:
                put(copier, source, directory, name)
            else:
                put_contents(copier, source, directory)
    return copier.size_bytes, copier.notes


def _refuse_namesakes(spec: TransferSpec, paths: Sequence[str]) -> None:
    if pair := pair_of_one_name(paths):
        one, other = pair
        raise StepError(
            f"Both {one} and {other} would be copied to {os.path.join(spec.workdir, os.path.basename(one))}. "
            "Rename one, or name the directories that hold them."
        )


def pair_of_one_name(paths: Sequence[str]) -> tuple[str, str] | None:
    """Return the first two files or directories that would have one name; None: all have their own."""
    seen: dict[str, str] = {}
    for path in paths:
        name = os.path.basename(path)
        if name in seen:
            return seen[name], path
        seen[name] = path
    return None


def _link(source: str, directory: int, name: str) -> None:
    """Make a link of that name; one that is there already is replaced, and nothing else is."""
    try:
        is_link = stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        is_link = False
    if is_link:
        os.unlink(name, dir_fd=directory)
    try:
        os.symlink(source, name, dir_fd=directory)
    except FileExistsError:
        raise StepError(f"Cannot link {source} as {name!r}: that name is taken. Move it away.") from None


def _target(spec: TransferSpec, source: str, *, links: bool) -> tuple[list[str], str]:
    """Return the directory below the working directory, and the name in it; '': the contents go there."""
    if not spec.slot:
        return [], os.path.basename(source)
    parts = relative_parts(spec.local_path)
    is_directory = os.path.isdir(source)
    if is_directory and not spec.recursive:
        raise StepError(
            f"{spec.location_alias}:{spec.remote_path} is a directory, and the slot {spec.slot!r} is of a "
            "file: give it recursive=True."
        )
    if is_directory and not links:
        return parts, ""
    if not parts or spec.local_path.endswith("/"):
        return parts, posixpath.basename(spec.remote_path.rstrip("/")) or os.path.basename(source)
    return parts[:-1], parts[-1]


@contextmanager
def opened(root: str, parts: Sequence[str], shown: str) -> Iterator[int]:
    """Open a directory below another, making what is missing; raises StepError where that leads elsewhere."""
    try:
        with open_below(root, parts, make=True) as descriptor:
            yield descriptor
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StepError(
                f"Cannot write to {shown}: {error.filename!r} on the way there is a link, which could lead "
                "out of it. Remove the link."
            ) from error
        raise

"""Copy or move files and directory trees with their attributes, without a shell.

A reader of the target sees the old file or the whole new one, never a part: each file is written under a
temporary name beside its place and then renamed. Everything is done relative to open directories, so that a
link that is put in the way meanwhile leads nowhere.
"""

import contextlib
import errno
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from balsam.exceptions import StepError, StorageFullError
from balsam.lib.beneath import FOLLOW, NO_FOLLOW, is_below
from balsam.processing.interruption import Interruption

__all__ = ["Copier", "bytes_below", "is_same", "put", "put_contents", "size_of"]

#: Temporary names begin with it; no ``*`` matches them.
_PREFIX = ".balsam-"
_CHUNK_BYTES = 4 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class _Spot:
    """A name in an open directory, whose path is for messages."""

    fd: int
    name: str
    directory: str

    @property
    def path(self) -> str:
        return os.path.join(self.directory, self.name)

    def mode(self) -> int:
        """Return the mode of what is there, links not followed; 0: nothing is."""
        try:
            return os.stat(self.name, dir_fd=self.fd, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return 0

    def is_file_of(self, source: str) -> bool:
        """Say whether the source is what is there, links followed."""
        try:
            return os.path.samestat(os.stat(source), os.stat(self.name, dir_fd=self.fd))
        except OSError:
            return False


@dataclass(slots=True)
class Copier:
    """Copies into ``directory``; with ``stays_inside``, links in it to directories are not followed.

    With ``moves`` the sources are used up: they are renamed where that can be. What cannot be copied (pipes,
    sockets, devices) is left out and said in ``notes``; ``size_bytes`` counts the rest. ``progress`` is
    called with the bytes so far after each piece.
    """

    directory: str
    interruption: Interruption
    stays_inside: bool = False
    moves: bool = False
    notes: list[str] = field(default_factory=list)
    size_bytes: int = 0
    progress: Callable[[int], None] | None = None

    def copy(self, source: str) -> None:
        """Copy a file or directory under its own name; a link is followed, links below it are kept as such.

        An existing file is replaced, an existing directory merged into. Raises StepError with the reason, and
        StepInterrupted between two pieces of a file.
        """
        with _telling(source, self.directory):
            descriptor = os.open(self.directory, FOLLOW)
            try:
                put(self, source, descriptor, os.path.basename(source))
            finally:
                os.close(descriptor)

    def _copy_entry(self, source: str, target: _Spot, top: str, *, follow: bool = False) -> None:
        self.interruption.check()
        status = _status(source, follow=follow)
        mode = status.st_mode
        if stat.S_ISREG(mode):
            self._copy_file(source, target, status.st_size)
        elif stat.S_ISDIR(mode):
            self._copy_directory(source, target, top)
        elif stat.S_ISLNK(mode):
            _copy_link(source, target, top)
        else:
            self.notes.append(f"Not copied, since it is neither a file nor a directory: {source}")

    def _copy_file(self, source: str, target: _Spot, size_bytes: int) -> None:
        mode = target.mode()
        if mode and not stat.S_ISLNK(mode) and target.is_file_of(source):
            return
        if stat.S_ISDIR(mode):
            _refuse_directory(target)
        if self.moves and _renamed(source, target):
            self.size_bytes += size_bytes
            return
        temporary = _temporary_name()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600, dir_fd=target.fd)
        try:
            with open(descriptor, "wb") as new, open(source, "rb") as old:
                self._copy_content(old.fileno(), new.fileno(), source)
                _copy_attributes(source, new.fileno())
            os.replace(temporary, target.name, src_dir_fd=target.fd, dst_dir_fd=target.fd)
        except BaseException:
            os.unlink(temporary, dir_fd=target.fd)
            raise

    def _copy_content(self, old: int, new: int, source: str) -> None:
        expected, copied = os.fstat(old).st_size, 0
        while chunk := os.read(old, _CHUNK_BYTES):
            self.interruption.check()
            copied += len(chunk)
            view = memoryview(chunk)
            while view:
                view = view[os.write(new, view) :]
            if self.progress is not None:
                self.progress(self.size_bytes + copied)
        if copied < expected:
            raise StepError(f"{source} became shorter while it was copied: {copied} of {expected} bytes.")
        self.size_bytes += copied

    def _copy_directory(self, source: str, target: _Spot, top: str) -> None:
        if target.is_file_of(source):
            return
        if _is_inside(target.path, source):
            raise StepError(
                f"Cannot copy the directory {source} into itself: {target.directory} is inside it. "
                "Give a pattern that leaves that directory out."
            )
        with self._opened_directory(target) as below:
            self._copy_entries(source, below, target.path, top)
            _copy_attributes(source, below)

    def _copy_entries(self, source: str, below: int, path: str, top: str) -> None:
        for name in sorted(os.listdir(source)):
            self._copy_entry(os.path.join(source, name), _Spot(below, name, path), top)

    @contextlib.contextmanager
    def _opened_directory(self, target: _Spot) -> Iterator[int]:
        with contextlib.suppress(FileExistsError):
            os.mkdir(target.name, 0o700, dir_fd=target.fd)
        is_link = stat.S_ISLNK(target.mode())
        if self.stays_inside and is_link:
            raise StepError(
                f"Cannot copy into {target.path}: it is a link that leads out of the working directory, or "
                "could. Remove the link."
            )
        descriptor = os.open(target.name, NO_FOLLOW if self.stays_inside else FOLLOW, dir_fd=target.fd)
        try:
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=descriptor):
                with contextlib.suppress(PermissionError):  # then writing into it says why
                    os.fchmod(descriptor, os.fstat(descriptor).st_mode | stat.S_IRWXU)
            yield descriptor
        finally:
            os.close(descriptor)


def put(copier: Copier, source: str, directory: int, name: str) -> None:
    """Copy a file or directory into an open directory, which is at the copier's path; see `Copier.copy`."""
    with _telling(source, copier.directory):
        target = _Spot(directory, name, copier.directory)
        copier._copy_entry(source, target, source, follow=True)


def put_contents(copier: Copier, source: str, directory: int) -> None:
    """Copy what a directory holds into an open one, which is at the copier's path; links stay links."""
    with _telling(source, copier.directory):
        copier._copy_entries(source, directory, copier.directory, source)


@contextlib.contextmanager
def _telling(source: str, directory: str) -> Iterator[None]:
    """Tell an error of the system as one of the step."""
    try:
        yield
    except OSError as error:
        where = f" ({error.filename})" if isinstance(error.filename, str) else ""
        cause = (os.strerror(error.errno) if error.errno else str(error)).lower()
        kind = StorageFullError if error.errno in _FULL else StepError
        raise kind(
            f"Cannot copy {source} to {directory}: {cause}{where}. "
            "Mend that, then run the job again from the state CREATED or RUN_DONE."
        ) from error


def _status(source: str, *, follow: bool) -> os.stat_result:
    """Look at a file or directory; a link that leads nowhere is one itself."""
    try:
        return os.stat(source, follow_symlinks=follow)
    except OSError:
        return os.stat(source, follow_symlinks=False)


def _renamed(source: str, target: _Spot) -> bool:
    """Move a file to its place, at once; False where it is on another file system."""
    try:
        os.replace(source, target.name, dst_dir_fd=target.fd)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM):
            return False
        raise
    return True


def _copy_attributes(source: str, new: int) -> None:
    """Give an open file or directory the mode, the times and the other attributes of another."""
    target: Any = new  # a descriptor is as good as a path here
    shutil.copystat(source, target)


def _temporary_name() -> str:
    return _PREFIX + uuid.uuid4().hex


def _copy_link(source: str, target: _Spot, top: str) -> None:
    """Make the same link; a relative one that leads out of the tree ``top`` is made absolute."""
    if is_same(os.path.dirname(source), target.directory):
        return
    _refuse_directory(target)
    leads_to = os.readlink(source)
    whole = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(source)), leads_to))
    if not os.path.isabs(leads_to) and (source == top or not is_below(whole, os.path.abspath(top))):
        leads_to = whole
    temporary = _temporary_name()
    os.symlink(leads_to, temporary, dir_fd=target.fd)
    try:
        os.replace(temporary, target.name, src_dir_fd=target.fd, dst_dir_fd=target.fd)
    except BaseException:
        os.unlink(temporary, dir_fd=target.fd)
        raise


def _refuse_directory(target: _Spot) -> None:
    if stat.S_ISDIR(target.mode()):
        raise StepError(f"Cannot write the file {target.path}: a directory has that name. Move it away.")


def size_of(paths: Iterable[str]) -> int:
    """Return the bytes of the files that are there; 0 with a directory, whose files are not counted."""
    sizes = [os.stat(path) for path in paths if os.path.exists(path)]
    return 0 if any(stat.S_ISDIR(one.st_mode) for one in sizes) else sum(one.st_size for one in sizes)


def bytes_below(path: str) -> int:
    """Return the bytes of a file, or of all files in a directory; what goes away meanwhile is not counted."""
    if not os.path.isdir(path):
        return os.stat(path).st_size
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += os.lstat(os.path.join(folder, name)).st_size
    return size


def is_same(one: str, other: str) -> bool:
    """Say whether two paths lead to the same file; False when one leads nowhere."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _is_inside(path: str, directory: str) -> bool:
    return is_below(os.path.realpath(path), os.path.realpath(directory))

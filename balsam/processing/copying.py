"""Copy files and directory trees with their attributes, without a shell.

A reader of the target sees the old file or the whole new one, never a part: each file is written under a
temporary name beside its place and then renamed.
"""

import contextlib
import os
import shutil
import stat
import tempfile
import uuid
from dataclasses import dataclass, field

from balsam.exceptions import StepError
from balsam.processing.interruption import Interruption

__all__ = ["Copier", "is_same"]

#: Temporary names begin with it; no ``*`` matches them.
_PREFIX = ".balsam-"
_CHUNK_BYTES = 4 << 20


@dataclass(slots=True)
class Copier:
    """Copies into ``directory``; with ``stays_inside``, links in it to directories elsewhere are refused.

    What cannot be copied (pipes, sockets, devices) is left out and said in ``notes``.
    """

    directory: str
    interruption: Interruption
    stays_inside: bool = False
    notes: list[str] = field(default_factory=list)

    def copy(self, source: str) -> None:
        """Copy a file or directory under its own name; a link is followed, links below it are kept as such.

        An existing file is replaced, an existing directory merged into. Raises StepError with the reason, and
        StepInterrupted between two pieces of a file.
        """
        target = os.path.join(self.directory, os.path.basename(source))
        try:
            is_followed = os.path.exists(source)
            self._copy_entry(source, target, source, follow=is_followed)
        except OSError as error:
            where = f" ({error.filename})" if isinstance(error.filename, str) else ""
            cause = (os.strerror(error.errno) if error.errno else str(error)).lower()
            raise StepError(
                f"Cannot copy {source} to {self.directory}: {cause}{where}. "
                "Mend that, then run the job again from the state CREATED or RUN_DONE."
            ) from error

    def _copy_entry(self, source: str, target: str, top: str, *, follow: bool = False) -> None:
        self.interruption.check()
        mode = os.stat(source, follow_symlinks=follow).st_mode
        if stat.S_ISREG(mode):
            self._copy_file(source, target)
        elif stat.S_ISDIR(mode):
            self._copy_directory(source, target, top)
        elif stat.S_ISLNK(mode):
            _copy_link(source, target, top)
        else:
            self.notes.append(f"Not copied, since it is neither a file nor a directory: {source}")

    def _copy_file(self, source: str, target: str) -> None:
        if is_same(source, target) and not os.path.islink(target):
            return
        _refuse_directory(target)
        descriptor, temporary = tempfile.mkstemp(prefix=_PREFIX, dir=os.path.dirname(target))
        try:
            with open(descriptor, "wb") as new, open(source, "rb") as old:
                while chunk := old.read(_CHUNK_BYTES):
                    self.interruption.check()
                    new.write(chunk)
            shutil.copystat(source, temporary)
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise

    def _copy_directory(self, source: str, target: str, top: str) -> None:
        if is_same(source, target):
            return
        if _is_inside(target, source):
            raise StepError(
                f"Cannot copy the directory {source} into itself: {self.directory} is inside it. "
                "Give a pattern that leaves that directory out."
            )
        self._make_directory(target)
        for name in sorted(os.listdir(source)):
            self._copy_entry(os.path.join(source, name), os.path.join(target, name), top)
        shutil.copystat(source, target)

    def _make_directory(self, target: str) -> None:
        if not os.path.isdir(target):
            os.mkdir(target, 0o700)
        elif self.stays_inside and not _is_inside(target, self.directory):
            raise StepError(
                f"Cannot copy into {target}: it is a link that leads out of the working directory. "
                "Remove the link."
            )
        elif not os.access(target, os.W_OK | os.X_OK):
            with contextlib.suppress(PermissionError):  # then writing into it says why
                os.chmod(target, os.stat(target).st_mode | stat.S_IRWXU)


def _copy_link(source: str, target: str, top: str) -> None:
    """Make the same link; a relative one that leads out of the tree ``top`` is made absolute."""
    if is_same(os.path.dirname(source), os.path.dirname(target)):
        return
    _refuse_directory(target)
    leads_to = os.readlink(source)
    whole = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(source)), leads_to))
    if not os.path.isabs(leads_to) and (source == top or not _is_below(whole, os.path.abspath(top))):
        leads_to = whole
    temporary = os.path.join(os.path.dirname(target), _PREFIX + uuid.uuid4().hex)
    os.symlink(leads_to, temporary)
    try:
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def _refuse_directory(target: str) -> None:
    if os.path.isdir(target) and not os.path.islink(target):
        raise StepError(f"Cannot write the file {target}: a directory has that name. Move it away.")


def is_same(one: str, other: str) -> bool:
    """Say whether two paths lead to the same file; False when one leads nowhere."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _is_inside(path: str, directory: str) -> bool:
    return _is_below(os.path.realpath(path), os.path.realpath(directory))


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")

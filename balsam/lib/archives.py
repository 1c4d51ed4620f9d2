"""Pack directories into one archive, compare them with it, and remove what is in it for certain.

Everything is read and removed relative to open directories, so that no link leads out of one. An archive
appears under its name whole or not at all.
"""

import gzip
import hashlib
import io
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from balsam.exceptions import ConflictError
from balsam.lib.beneath import open_below, relative_parts

__all__ = ["NOTE", "Entry", "differences", "index_of", "pack", "remove"]

#: Name of the text that goes with the directories.
NOTE = ".balsam-archive.json"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """What one name in a directory, or in an archive, stands for: a kind of `tarfile`, and its content."""

    kind: bytes
    size: int = 0
    #: Of a file, the sha256 of what is in it; of a link, where it leads.
    content: str = ""


def pack(top: Path, names: Sequence[str], target: Path, note: str) -> None:
    """Write directories below ``top`` into an archive (.tar.gz), and compare it with them.

    Pipes, sockets and devices are left out. Raises ConflictError when something changes meanwhile, OSError
    when it cannot be read or written; there is no archive then.
    """
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        with open(part, "xb", opener=_private) as file:
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                _write(packed, top, names, note)
            file.flush()
            os.fsync(file.fileno())
        index = index_of(part)
        for name in names:
            if changed := differences(top, name, index):
                raise ConflictError(f"{top / changed[0]} changed while it was packed. Nothing was packed.")
        os.rename(part, target)
    finally:
        part.unlink(missing_ok=True)


def index_of(archive: Path) -> dict[str, Entry]:
    """Read a whole archive, to the checksum at its end; raises ConflictError for one that is damaged."""
    try:
        with gzip.open(archive) as packed:
            found = _entries(packed)
            while packed.read(_CHUNK_BYTES):
                pass
            return found
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        raise ConflictError(
            f"{archive} is no whole archive: {error}. Give another name, or remove it and pack again."
        ) from error


def _entries(packed: gzip.GzipFile) -> dict[str, Entry]:
    found = {}
    with tarfile.open(fileobj=packed, mode="r|") as tar:
        for info in tar:
            file = tar.extractfile(info) if info.isreg() else None
            content = info.linkname if file is None else _digest(file)
            found[info.name] = Entry(info.type, info.size, content)
    return found


def differences(top: Path, name: str, index: Mapping[str, Entry]) -> list[str]:
    """Name what is in a directory, and not, or otherwise, in an archive."""
    return [path for path, entry, _ in _tree(top, name) if index.get(path) != entry]


def remove(top: Path, name: str) -> None:
    """Remove a directory below ``top`` with all that is in it; links are removed, and not followed."""
    *way, last = relative_parts(name)
    with open_below(str(top), way, make=False) as descriptor:
        shutil.rmtree(last, dir_fd=descriptor)


def _fail(error: OSError) -> None:
    """Leave nothing out because it cannot be read."""
    raise error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write(packed: gzip.GzipFile, top: Path, names: Sequence[str], note: str) -> None:
    with tarfile.open(fileobj=packed, mode="w") as tar:
        text = note.encode()
        info = tarfile.TarInfo(NOTE)
        info.size, info.mode = len(text), 0o600
        tar.addfile(info, io.BytesIO(text))
        for name in names:
            _add_tree(tar, top, name)


def _add_tree(tar: tarfile.TarFile, top: Path, name: str) -> None:
    for path, entry, (descriptor, status) in _tree(top, name, opens=True):
        info = tarfile.TarInfo(path)
        info.type, info.mode, info.mtime = entry.kind, stat.S_IMODE(status.st_mode), int(status.st_mtime)
        info.uid, info.gid = status.st_uid, status.st_gid
        if descriptor is None:
            info.linkname = entry.content
            tar.addfile(info)
        else:
            info.size = status.st_size
            with open(descriptor, "rb", closefd=False) as file:
                tar.addfile(info, file)


_Source = tuple[int | None, os.stat_result]


def _tree(top: Path, name: str, *, opens: bool = False) -> Iterator[tuple[str, Entry, _Source]]:
    """Yield all that is in a directory, itself first; with ``opens``, files open instead of their content."""
    parts = relative_parts(name)
    with open_below(str(top), parts, make=False) as descriptor:
        walk = os.fwalk(".", onerror=_fail, dir_fd=descriptor, follow_symlinks=False)
        for folder, _, _, directory in walk:
            path = os.path.normpath(os.path.join(*parts, folder))
            yield path, Entry(tarfile.DIRTYPE), (None, os.fstat(directory))
            for below in sorted(os.listdir(directory)):
                with ExitStack() as stack:
                    found = _look(directory, below, stack, opens=opens)
                    if found is not None:
                        yield os.path.join(path, below), *found


def _look(directory: int, name: str, stack: ExitStack, *, opens: bool) -> tuple[Entry, _Source] | None:
    """Return what a name stands for; None for a directory, which is come to anyway, and what is no file."""
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        return Entry(tarfile.SYMTYPE, 0, os.readlink(name, dir_fd=directory)), (None, status)
    if not stat.S_ISREG(status.st_mode):
        return None
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    stack.callback(os.close, descriptor)
    status = os.fstat(descriptor)
    if opens:
        return Entry(tarfile.REGTYPE), (descriptor, status)
    with open(descriptor, "rb", closefd=False) as file:
        return Entry(tarfile.REGTYPE, status.st_size, _digest(file)), (descriptor, status)


def _digest(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        found.update(chunk)
    return found.hexdigest()

"""Follow growing files, as `tail -f` does, also those that appear later; works wherever Python does."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

#: Bytes read of a file at once, and looked at for its last lines.
TAIL_WINDOW = 1 << 18


@dataclass
class _Position:
    """How far a file has been read; ``inode`` tells a new file of the same name."""

    inode: int
    offset: int
    rest: bytes = b""


class Follower:
    """Reads what is appended to the files of a directory that match a pattern."""

    def __init__(self, directory: Path, pattern: str, last_lines: int = 10) -> None:
        self._directory = directory
        self._pattern = pattern
        self._last_lines = last_lines
        self._is_new = True
        self._positions: dict[Path, _Position] = {}

    def read_new(self) -> list[tuple[Path, list[str]]]:
        """Return the new whole lines of each file that has some; the first time, the last lines.

        Files that appear later are read from their start; so is a file that was cut or replaced.
        """
        is_first, self._is_new = self._is_new, False
        found = []
        for path in sorted(self._directory.glob(self._pattern)):
            try:
                lines = self._read(path, is_first)
            except FileNotFoundError:
                self._positions.pop(path, None)
                continue
            if lines:
                found.append((path, lines))
        return found

    def _read(self, path: Path, is_first: bool) -> list[str]:
        status = path.stat()
        position = self._positions.get(path)
        if position is None and is_first:
            start = max(0, status.st_size - TAIL_WINDOW)
            position = self._positions[path] = _Position(status.st_ino, start)
            lines = self._append(path, position)[1 if start else 0 :]
            return lines[-self._last_lines :] if self._last_lines else []
        if position is None or position.inode != status.st_ino or status.st_size < position.offset:
            position = self._positions[path] = _Position(status.st_ino, 0)
        return self._append(path, position) if status.st_size > position.offset else []

    def _append(self, path: Path, position: _Position) -> list[str]:
        with path.open("rb") as file:
            file.seek(position.offset)
            new = file.read(TAIL_WINDOW)
        position.offset += len(new)
        *whole, position.rest = (position.rest + new).split(b"\n")
        return [line.decode(errors="replace") for line in whole]


def follow(follower: Follower, sleep: Callable[[float], None], period_sec: float = 0.5) -> Iterator[str]:
    """Yield lines for ever; where another file goes on, its name comes first."""
    shown: Path | None = None
    while True:
        for path, lines in follower.read_new():
            if path != shown:
                yield header(path)
                shown = path
            yield from lines
        sleep(period_sec)


def headed(found: Iterable[tuple[Path, list[str]]]) -> Iterator[str]:
    """Yield lines of files, each file's under its name."""
    for path, lines in found:
        yield header(path)
        yield from lines


def header(path: Path) -> str:
    """Return the line that names a file."""
    return f"==> {path} <=="

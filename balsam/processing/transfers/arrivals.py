"""Follow a run of rsync: how much has come of what, and what is whole while it still brings others."""

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache

from balsam.platform.transfer import Desk, Move, rsync

__all__ = ["Arrivals", "Following"]


class Following:
    """Tells a desk how much has come, by the lines rsync prints.

    ``moves`` has what each file, or tree, is for; ``totals`` their bytes, where they are known before.
    """

    def __init__(self, moves: Mapping[str, Move], totals: Mapping[int, int], desk: Desk) -> None:
        self._moves = {rsync.shown(name.rstrip("/")): move for name, move in moves.items()}
        self._totals = totals
        self._desk = desk
        self._now: Move | None = None
        self._name = ""
        self._size = 0
        #: Bytes of the files before this one, of moves that are more than one.
        self._before: dict[int, int] = {}

    def line(self, text: str) -> None:
        """Take a line."""
        if (begun := rsync.begun_in(text)) is not None:
            self._begin(*begun)
        elif (count := rsync.bytes_in(text)) is not None and self._now is not None:
            self._tell(self._now, count)

    def _begin(self, size: int, name: str) -> None:
        if self._now is not None:
            self._before[self._now.item_id] = self._before.get(self._now.item_id, 0) + self._size
        self._now, self._name, self._size = self._of(name), name, size
        if self._now is not None:
            self._tell(self._now, 0)

    def _tell(self, move: Move, count: int) -> None:
        total = self._totals.get(move.item_id, 0 if move.recursive else self._size)
        self._desk.progress(move, self._before.get(move.item_id, 0) + count, total)

    def _of(self, name: str) -> Move | None:
        """Return what a file is for: itself, or the tree that it is in."""
        while name:
            if (move := self._moves.get(name.rstrip("/"))) is not None:
                return move
            name = name.rpartition("/")[0]
        return None


class Arrivals(Following):
    """Has files put to their places while rsync brings others; ``placed`` are the numbers of their moves.

    rsync renames a file when it is whole. One that was there before may be an older version, and a tree is
    whole when all of it is: these, and links, wait for the end.
    """

    def __init__(self, listing: rsync.Listing, desk: Desk) -> None:
        super().__init__({name: moves[-1] for name, moves in listing.moves.items()}, {}, desk)
        self.placed: set[int] = set()
        self._top = rsync.shown(listing.top)
        #: By their names in messages: where files will be, and what they are for.
        self._files: dict[str, tuple[str, list[Move]]] = {}
        names_in = cache(_names_in)
        for name, moves in {} if listing.is_tree else listing.moves.items():
            folder, base = os.path.split(os.path.join(desk.scratch, name))
            if base not in names_in(folder):
                self._files[rsync.shown(name)] = os.path.join(folder, base), moves
        #: What was named, and has not been seen at its place yet.
        self._named: list[str] = []

    def look(self) -> None:
        """Tell how much has come of the file under way, whose temporary name begins with its own."""
        if self._now is None:
            return
        folder, name = os.path.split(os.path.join(self._desk.scratch, self._name))
        with suppress(OSError):  # it has not been begun with, or is whole just now
            for entry in os.scandir(folder):
                if entry.name.startswith(f".{name}."):
                    self._tell(self._now, entry.stat().st_size)

    def _begin(self, size: int, name: str) -> None:
        name = self._top + name
        super()._begin(size, name)
        self._named = [one for one in self._named if not self._place(*self._files[one])]
        if name in self._files:
            self._named.append(name)

    def _place(self, path: str, moves: Sequence[Move]) -> bool:
        """Hand a file on to those it is for; False where it has not come, or is none."""
        try:
            if not stat.S_ISREG(os.lstat(path).st_mode):
                return False
        except FileNotFoundError:
            return False
        for left, move in zip(range(len(moves) - 1, -1, -1), moves, strict=True):
            self.placed.add(move.item_id)
            self._desk.arrived(move, [path], "copy" if left else "move")
        return True


def _names_in(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()

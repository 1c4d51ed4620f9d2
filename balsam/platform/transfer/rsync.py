"""Command lines of rsync, and what its messages say of each file. See rsync(1).

All names but the host go through a list on its input, or are arguments that no shell sees (--secluded-args).
"""

import os
import posixpath
import re
from collections.abc import Iterable, Sequence

from balsam.platform.transfer.contract import CommandLine, Move, Place

__all__ = [
    "Listing",
    "begun_in",
    "bring",
    "bring_pattern",
    "bytes_in",
    "is_disk_full",
    "is_lost",
    "is_refused",
    "relative",
    "send",
    "shown",
    "start_of",
    "words_of",
]

#: Permissions and times are kept, owners not; whole files appear at once; a dead peer is noticed.
_ALWAYS = ("-pt", "-8", "-s", "--partial-dir=.rsync-partial", "--timeout=60", "--omit-dir-times")
#: Each file is named before it goes, with its size; of what is sent it is told, too, how much has gone.
_NAMING = ("--out-format=>%l %n", "--outbuf=L")
_COUNTING = ("--out-format=>%l %n", "--outbuf=N", "--info=progress", "--no-h")
_LISTED = ("--from0", "--files-from=-", "--no-implied-dirs")
#: Whatever they were, ours can be moved to their place; what an earlier try has left gives way.
_IN = ("--chmod=u+rwX", "--force")
#: Links of a tree stay links where they lead to something in it, else they become what they lead to.
_TREE = ("-rl", "--copy-unsafe-links")
#: The other end expands these in what it is asked for, though not in lists.
_EXPANDED = re.compile(r"[*?\[\\]")
#: What is said where the directory of all cannot be entered; one end leaves then, and the other misses it.
_NO_TOP = re.compile(r'^rsync: (\[sender\] )?change_dir "', re.MULTILINE)
#: Exit codes for a connection that broke: socket, stream, timeouts, the remote shell.
_LOST = (5, 10, 12, 30, 35, 255)


class Listing:
    """What one run brings.

    ``moves`` are all files, or all trees, by their paths from the root, or from the home directory; several
    may want one of them. ``top``, which ends with `/` or is '', is the directory they are named from: rsync
    finds files sooner from near them, and what becomes of links in trees depends on where it starts.
    """

    def __init__(self, moves: Sequence[Move]) -> None:
        self.moves: dict[str, list[Move]] = {}
        for move in moves:
            self.moves.setdefault(relative(move.remote), []).append(move)
        self.is_tree = moves[0].recursive
        self.start = start_of(moves[0].remote)
        self.top = "" if self.is_tree else _shared_directory(self.moves)
        self._paths = {name.rstrip("/") for name in self.moves}

    def deepest_first(self) -> list[tuple[str, list[Move]]]:
        """Return what is in another tree before that, which may be moved away."""
        return sorted(
            self.moves.items(),
            key=lambda one: (one[0].rstrip("/").count("/"), one[0].endswith("/")),
            reverse=True,
        )

    def is_in_another(self, name: str) -> bool:
        """Say whether a tree is wanted too that this is in, or that this is under another name."""
        path = name.rstrip("/")
        while (path := posixpath.dirname(path)) != "":
            if path in self._paths:
                return True
        return name.endswith("/") and name.rstrip("/") in self.moves


def bring(
    place: Place, listing: Listing, scratch: str, ssh: Sequence[str], *, follows_links: bool = False
) -> CommandLine:
    """Copy what is listed to ``scratch``, below it at the same path; its ``top`` has to be there."""
    tree = _TREE if listing.is_tree else ()
    kind = (*tree, "-L") if follows_links or not tree else tree
    top = listing.top
    names = b"".join(os.fsencode(name[len(top) :]) + b"\0" for name in listing.moves)
    how = (*_ALWAYS, *_NAMING, *_IN, *kind, *_LISTED, *_shell(ssh))
    source = f"{_host(place)}:{listing.start}{top}"
    return CommandLine(["rsync", *how, "--", source, f"{scratch}/{top}"], names)


def _shared_directory(names: Iterable[str]) -> str:
    shared = posixpath.commonpath({posixpath.dirname(name.rstrip("/")) for name in names}) + "/"
    if (wild := _EXPANDED.search(shared)) is not None:
        shared = shared[: wild.start()]
    return shared[: shared.rfind("/") + 1].lstrip("/")


def bring_pattern(place: Place, move: Move, directory: str, ssh: Sequence[str]) -> CommandLine:
    """Copy what a pattern matches at the other end into ``directory``, below it at the same path."""
    remote = start_of(move.remote) + relative(move.remote)
    how = (*_ALWAYS, *_IN, *_TREE, "-R", "--no-implied-dirs", *_shell(ssh))
    return CommandLine(["rsync", *how, "--", f"{_host(place)}:{remote}", directory + "/"])


def send(place: Place, names: Sequence[str], scratch: str, ssh: Sequence[str], *, start: str) -> CommandLine:
    """Copy what is below ``scratch`` to the same path at the other end: files, and directories whole.

    ``start`` is that of their paths there: see `start_of`.
    """
    listed = b"".join(os.fsencode(name) + b"\0" for name in names)
    target = f"{_host(place)}:{start}"
    argv = ["rsync", *_ALWAYS, *_COUNTING, "-rl", *_LISTED, *_shell(ssh), "--", scratch + "/", target]
    return CommandLine(argv, listed)


def start_of(path: str) -> str:
    """Return what the `relative` name of a path is relative to: the root, or the home directory."""
    return "/" if path.startswith("/") else "./"


def relative(path: str) -> str:
    """Return a path as it is named in a list: from the root, or the home directory."""
    plain = posixpath.normpath(path.removeprefix("~/")).lstrip("/")
    return plain + "/" if path.endswith("/") else plain


def is_refused(path: str) -> bool:
    """Say whether rsync takes a name for one that nobody has asked for: its wildcards are escaped in vain."""
    return "\\" in path and any(character in path for character in "*?[")


def words_of(path: str, stderr: str) -> str:
    """Return what messages say of a path, or of the directory that all are in, or ''."""
    name = shown(path.strip("/"))
    told = [
        line.strip()
        for line in stderr.splitlines()
        if re.search(rf'[/"]{re.escape(name)}["/ ]', line) or line.endswith(name) or _NO_TOP.match(line)
    ]
    return "\n".join(told[:3])


def is_lost(returncode: int, stderr: str) -> bool:
    """Say whether it was the connection that broke, and no file."""
    return returncode in _LOST and not _NO_TOP.search(stderr)


def is_disk_full(stderr: str) -> bool:
    """Say whether no room was left, on this side or the other."""
    return "No space left on device" in stderr or "Disk quota exceeded" in stderr


def begun_in(line: str) -> tuple[int, str] | None:
    """Return the size and the name of the file that a line says is begun with; None for another line."""
    found = re.fullmatch(r">(\d+) (.+)", line)
    return (int(found[1]), found[2]) if found else None


def bytes_in(line: str) -> int | None:
    """Return how much of a file a line says has come; None for another line."""
    found = re.match(r" +(\d+) +\d+% ", line)
    return int(found[1]) if found else None


def shown(path: str) -> str:
    """Return a path as messages have it: control characters by their number."""
    return re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\#{ord(found[0]):03o}", path)


def _host(place: Place) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    return f"{place.user}@{host}" if place.user else host


def _shell(ssh: Sequence[str]) -> tuple[str, str]:
    return "-e", " ".join(["ssh", *map(_quoted, ssh)])


def _quoted(word: str) -> str:
    """Quote for rsync's own reading of -e, where a quote in quotes is doubled."""
    return word if re.fullmatch(r"[\w@%+=:,./-]+", word) else '"' + word.replace('"', '""') + '"'

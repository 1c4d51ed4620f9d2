"""Keep hold of what a process has started, even where it has left its process group or lost its parent.

Linux only: elsewhere nothing is adopted and nothing is found. A process is signalled only while it is the
one that was found, and not another that got its pid.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["Children", "Relative", "adopt_orphans", "has_variable", "relatives", "signal_relative"]

#: prctl(2)
_PR_SET_CHILD_SUBREAPER = 36
_IS_LINUX = sys.platform == "linux"


def adopt_orphans() -> bool:
    """Become the parent of descendants that lose theirs; False where the system cannot do that."""
    if not _IS_LINUX:
        return False
    try:
        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (OSError, AttributeError):
        return False


class Children:
    """The children of this process, adopted ones included; asking costs a microsecond."""

    def __init__(self) -> None:
        self._file: int | None = None
        with contextlib.suppress(OSError):  # a kernel without it: nothing is found
            self._file = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)

    def pids(self) -> list[int]:
        """List them, zombies too."""
        if self._file is None:
            return []
        text = b""
        while chunk := os.pread(self._file, 1 << 16, len(text)):
            text += chunk
        return [int(pid) for pid in text.split()]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def has_variable(pid: int, variable: str) -> bool:
    """Say whether a process was started with ``NAME=value`` in its environment; False when that is hidden."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return os.fsencode(variable) in file.read().split(b"\0")
    except OSError:  # it has ended, or is another user's
        return False


@dataclass(frozen=True, slots=True)
class Relative:
    """A process, and when it started (in clock ticks since boot)."""

    pid: int
    started: int


@dataclass(frozen=True, slots=True)
class _Entry:
    parent: int
    group: int
    session: int
    started: int
    is_zombie: bool


def relatives(leaders: Collection[int]) -> dict[int, set[Relative]]:
    """Find, for each leader, what descends from it or is in its session, but is not in its process group."""
    table = _process_table()
    owner = {pid: entry.session for pid, entry in table.items() if entry.session in leaders}
    owner.update((leader, leader) for leader in leaders)
    generation = set(owner)
    while generation:
        generation = {pid for pid, entry in table.items() if entry.parent in generation and pid not in owner}
        owner.update((pid, owner[table[pid].parent]) for pid in generation)
    found: dict[int, set[Relative]] = {leader: set() for leader in leaders}
    for pid, leader in owner.items():
        if pid in table and table[pid].group != leader and not table[pid].is_zombie:
            found[leader].add(Relative(pid, table[pid].started))
    return found


def signal_relative(relative: Relative, sig: int) -> bool:
    """Send a signal (0: none); False when the process has ended or may not be signalled."""
    entry = _read_entry(relative.pid)
    if entry is None or entry.is_zombie or entry.started != relative.started:
        return False
    try:
        os.kill(relative.pid, sig)
    except OSError:
        return False
    return True


def _process_table() -> dict[int, _Entry]:
    names = os.listdir("/proc") if _IS_LINUX else []
    entries = ((int(name), _read_entry(int(name))) for name in names if name.isdecimal())
    return {pid: entry for pid, entry in entries if entry is not None}


def _read_entry(pid: int) -> _Entry | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except OSError:  # it has ended
        return None
    # proc_pid_stat(5): the name may hold blanks and parentheses; what follows it begins with field 3
    state, parent, group, session, *rest = stat[stat.rindex(b")") + 2 :].split()
    return _Entry(int(parent), int(group), int(session), int(rest[15]), state in (b"Z", b"X"))

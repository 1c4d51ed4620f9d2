"""A process group: its leader, what left the group but belongs to it, and how both are signalled."""

import contextlib
import math
import os
import signal
from collections.abc import Collection
from dataclasses import dataclass, field

from balsam.lib.descendants import Relative, relatives, signal_relative

__all__ = ["ProcessGroup", "find_relatives", "kill_child", "next_ended_child", "session_of", "signal_group"]


@dataclass(slots=True)
class ProcessGroup:
    """A group with its leader, and what is known of its end."""

    key: str
    #: Of its leader; also the number of the process group and, on Linux, of the session.
    pid: int
    #: When SIGKILL is due; infinity while nobody wants it to end.
    kill_at: float = math.inf
    is_killed: bool = False
    #: Of the leader, once it has ended.
    return_code: int | None = None
    ended_at: float | None = None
    #: Processes outside the group that are to end with it.
    relatives: set[Relative] = field(default_factory=set)

    def signal(self, sig: int) -> bool:
        """Send a signal to the group and its relatives; False when nobody is left."""
        found = signal_group(self.pid, sig)
        for relative in self.relatives:
            found |= signal_relative(relative, sig)
        return found


def find_relatives(groups: Collection[ProcessGroup]) -> None:
    """Note which processes outside the groups belong to them."""
    if groups:
        found = relatives([group.pid for group in groups])
        for group in groups:
            group.relatives |= found[group.pid]


def signal_group(group: int, sig: int) -> bool:
    """Send a signal to a process group; False when nobody is left in it."""
    try:
        os.killpg(group, sig)
    except (ProcessLookupError, PermissionError):  # macOS: PermissionError for a group of zombies
        return False
    return True


def kill_child(pid: int) -> None:
    """Kill a child: until it is reaped, its pid is its own."""
    with contextlib.suppress(PermissionError):  # it runs as another user
        os.kill(pid, signal.SIGKILL)


def session_of(pid: int) -> int:
    """Return the session of a process; 0 when it has ended."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def next_ended_child() -> tuple[int, int | None] | None:
    """Find a child that has ended, with its wait status, or None.

    The status is None where the child is left unreaped, so that its pid names nobody else yet.
    """
    try:
        if hasattr(os, "waitid"):
            info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            return None if info is None else (info.si_pid, None)
        pid, status = os.waitpid(-1, os.WNOHANG)
        return (pid, status) if pid else None
    except ChildProcessError:
        return None

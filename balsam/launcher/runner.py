"""Run processes in groups of their own: start, reap by events, end with SIGTERM and then SIGKILL.

No process of a group outlives the end that is reported for its leader: when a leader ends by itself what
it left is killed; when it was told to end, the others have until the same deadline.
"""

import math
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from balsam.launcher.process_group import (
    ProcessGroup,
    find_relatives,
    kill_child,
    next_ended_child,
    session_of,
    signal_group,
)
from balsam.launcher.process_start import ProcessStart, ProcessStarter
from balsam.lib.descendants import Children, has_variable

__all__ = ["Ended", "Runner"]

#: How often a group whose leader has ended is looked at while it winds up.
LINGER_POLL_SEC = 0.02
#: How long a killed process may stay (in uninterruptible I/O) before it is given up.
UNKILLABLE_SEC = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a process: its exit code, or the negative number of the signal that killed it.

    ``return_code`` is None when not even SIGKILL ended it.
    """

    key: str
    return_code: int | None
    ended_at: float
    #: It had been told to end.
    was_told: bool = False


class Runner:
    """The processes this process has started, by a key of the caller's choice.

    Call :meth:`reap` after each SIGCHLD and at :attr:`next_deadline`. Times are those of ``clock``. Every
    child of this process is reaped, whoever started it.
    """

    def __init__(self, environ: Mapping[str, str], *, clock: Callable[[], float] = time.monotonic) -> None:
        self.starter = ProcessStarter(environ)
        self._clock = clock
        self._groups: dict[str, ProcessGroup] = {}
        #: Groups whose leader has not been reaped, by its pid.
        self._leaders: dict[int, ProcessGroup] = {}
        #: Groups that were told to end.
        self._ending: dict[str, ProcessGroup] = {}
        self._children = Children()
        mark = environ.get("BALSAM_WORKER")
        #: What is in the environment of all that descends from here and has not given it up.
        self._mark = f"BALSAM_WORKER={mark}" if mark else ""

    def __len__(self) -> int:
        return len(self._groups)

    def __contains__(self, key: str) -> bool:
        return key in self._groups

    @property
    def next_deadline(self) -> float:
        """When :meth:`reap` has something to do without a SIGCHLD; infinity if never."""
        if not self._ending:
            return math.inf
        return min(self._next_look(group) for group in self._ending.values())

    def start(self, key: str, start: ProcessStart) -> None:
        """Start a process; raises what `ProcessStarter.start` raises, and then nothing runs."""
        self.adopt(key, self.starter.start(start))

    def adopt(self, key: str, pid: int) -> None:
        """Take care of a child that leads a process group of its own."""
        self._groups[key] = self._leaders[pid] = ProcessGroup(key, pid)

    def terminate(self, keys: Iterable[str], grace_sec: float) -> None:
        """Ask processes to end, and kill them ``grace_sec`` later; a second call can only hasten that."""
        kill_at = self._clock() + grace_sec
        asked = [self._groups[key] for key in keys if key in self._groups]
        new = [group for group in asked if group.key not in self._ending]
        for group in asked:
            group.kill_at = min(group.kill_at, kill_at)
            self._ending[group.key] = group
        find_relatives(new)
        for group in new:
            group.signal(signal.SIGTERM)
            group.signal(signal.SIGCONT)  # a stopped process cannot end

    def terminate_all(self, grace_sec: float) -> None:
        """Ask every process to end, and kill it ``grace_sec`` later."""
        self.terminate(list(self._groups), grace_sec)

    def reap(self) -> list[Ended]:
        """Collect what has ended, and kill what is due."""
        ended = self._reap_leaders()
        if ended:
            self._kill_sessions({group.pid for group in ended})
        if self._ending:
            now = self._clock()
            self._kill_due(now)
            ended += [group for group in self._ending.values() if self._is_over(group, now)]
        return [self._forget(group) for group in ended]

    def kill_adopted(self) -> bool:
        """Kill what processes that ended have left in sessions of their own; False when there is nothing.

        Left alone is what was started without the mark of this worker, such as the database's server. What a
        killed one has itself started is found by the next call.
        """
        adopted = [pid for pid in self._children.pids() if pid not in self._leaders and self._is_ours(pid)]
        for pid in adopted:
            kill_child(pid)
        return bool(adopted)

    def _is_ours(self, pid: int) -> bool:
        return not self._mark or has_variable(pid, self._mark)

    def _reap_leaders(self) -> list[ProcessGroup]:
        """Reap all children that have ended; returns the groups that are over with that."""
        over = []
        while (child := next_ended_child()) is not None:
            pid, status = child
            group = self._leaders.pop(pid, None)
            if group is not None and group.kill_at == math.inf:
                signal_group(pid, signal.SIGKILL)
                over.append(group)
            if status is None:
                _, status = os.waitpid(pid, 0)
            if group is not None:
                group.return_code = os.waitstatus_to_exitcode(status)
                group.ended_at = self._clock()
        return over

    def _kill_sessions(self, sessions: set[int]) -> None:
        """Kill what left the process group, but not the session, of a leader that has ended."""
        for pid in self._children.pids():
            if pid not in self._leaders and session_of(pid) in sessions:
                kill_child(pid)

    def _kill_due(self, now: float) -> None:
        due = [group for group in self._ending.values() if group.kill_at <= now and not group.is_killed]
        find_relatives(due)
        for group in due:
            group.signal(signal.SIGKILL)
            group.is_killed = True

    def _is_over(self, group: ProcessGroup, now: float) -> bool:
        if group.ended_at is None:
            return group.is_killed and now >= group.kill_at + UNKILLABLE_SEC
        return group.is_killed or not group.signal(0)

    def _next_look(self, group: ProcessGroup) -> float:
        if group.ended_at is not None:
            return min(group.kill_at, self._clock() + LINGER_POLL_SEC)
        return group.kill_at + UNKILLABLE_SEC if group.is_killed else group.kill_at

    def _forget(self, group: ProcessGroup) -> Ended:
        del self._groups[group.key]
        self._leaders.pop(group.pid, None)
        self._ending.pop(group.key, None)
        ended_at = self._clock() if group.ended_at is None else group.ended_at
        return Ended(group.key, group.return_code, ended_at, was_told=group.kill_at != math.inf)

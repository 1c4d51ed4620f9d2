"""The jobs of one worker: queued, placed, running, ended; each is told of in the outbox exactly once.

Whatever is wrong with one job ends that job; the others never notice.
"""

import math
import os.path
import signal
import time
from collections import deque
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass

from balsam.exceptions import JobStartError
from balsam.launcher import start_errors
from balsam.launcher.commands import JobCommands
from balsam.launcher.node_checks import NodeChecks
from balsam.launcher.pending import PendingQueue
from balsam.launcher.placement import Allocation, Placement
from balsam.launcher.python_runs import PythonRuns
from balsam.launcher.runner import Ended, Runner
from balsam.launcher.worker_events import Outbox
from balsam.lib.file_end import output_tail
from balsam.schemas.jobs import JobSpec

__all__ = ["WorkerJobs"]

#: How long a start waits for something to end when the machine is short of processes or memory.
SHORTAGE_SEC = 1.0
#: How often the queue is searched for jobs that have become too long for the time left.
WEED_SEC = 1.0
MAX_NODES_SHOWN = 4


@dataclass(frozen=True, slots=True)
class _Placed:
    spec: JobSpec
    placement: Placement


class WorkerJobs:
    """Takes jobs in, starts those that fit, and collects their ends."""

    def __init__(
        self,
        allocation: Allocation,
        commands: JobCommands,
        runner: Runner,
        outbox: Outbox,
        *,
        python: PythonRuns | None = None,
        checks: NodeChecks | None = None,
        max_running: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allocation = allocation
        self._commands = commands
        self._runner = runner
        self._outbox = outbox
        self._max_running = math.inf if max_running is None else max_running
        self.python = python or PythonRuns(runner, outbox.note, why_fresh="nothing is kept warm")
        self._checks = checks
        self._clock = clock
        self._pending = PendingQueue()
        #: Jobs that have their place and are started next.
        self._placed: deque[_Placed] = deque()
        #: Those of them that wait for a warm interpreter.
        self._warming: deque[_Placed] = deque()
        #: The machine was too short of something to start a process: when to try again.
        self._retry_at = -math.inf
        self._running: dict[str, _Placed] = {}
        #: Jobs that have failed, and whose nodes are being asked whether they are still there.
        self._doubtful: dict[str, tuple[_Placed, Ended]] = {}
        #: New attempts of jobs whose earlier one has not ended yet.
        self._again: dict[str, JobSpec] = {}
        self._ends_at = math.inf
        self._weeded_at = -math.inf
        #: Nodes on which nothing more is placed.
        self._closed: set[str] = set()
        #: Nothing is started any more.
        self.is_stopping = False

    @property
    def queued(self) -> int:
        """Jobs that have not started."""
        return len(self._pending) + len(self._placed) + len(self._warming) + len(self._again)

    @property
    def running(self) -> int:
        """Jobs that have started and not ended."""
        return len(self._running) + len(self._doubtful)

    @property
    def is_starved(self) -> bool:
        """There is room, and nothing queued for it."""
        is_full = self._allocation.is_full or len(self._running) >= self._max_running
        return not (self._pending or self._placed or self._warming or is_full)

    @property
    def next_deadline(self) -> float:
        """When there is something to do without a message or the end of a process; infinity if never."""
        check_at = self._checks.next_deadline if self._checks else math.inf
        retry_at = self._retry_at if self._placed else math.inf
        return min(self._runner.next_deadline, check_at, self.python.next_deadline, retry_at)

    def accept(self, specs: Iterable[JobSpec]) -> None:
        """Queue jobs; those that can never run here go back at once."""
        for spec in specs:
            if self.is_stopping:
                self._outbox.give_back(spec.job_id, spec.attempt)
            elif spec.job_id in self._running or spec.job_id in self._doubtful:
                self._again[spec.job_id] = spec
            else:
                self._queue(spec)

    def kill(self, job_ids: Iterable[str], grace_sec: float) -> None:
        """End jobs: running ones are told to, queued ones go back."""
        ids = set(job_ids)
        self._runner.terminate(ids, grace_sec)
        self._return(spec for job_id in ids if (spec := self._pending.remove(job_id)))
        self._return(self._again.pop(job_id) for job_id in ids & self._again.keys())
        self._return_placed(ids)

    def give_back(self) -> None:
        """Return all jobs that have not started."""
        self._return(self._pending.drain())
        self._return(self._again.values())
        self._again.clear()
        self._return_placed({placed.spec.job_id for placed in (*self._placed, *self._warming)})

    def stop(self, grace_sec: float) -> None:
        """Return what is queued, end what runs, and start nothing any more."""
        self.is_stopping = True
        self.give_back()
        self._runner.terminate_all(grace_sec)

    def set_time_left(self, seconds: float) -> None:
        """Start nothing that would not end within this time."""
        self._ends_at = self._clock() + seconds
        self._weeded_at = -math.inf

    def reap(self) -> None:
        """Collect the ends of processes, and kill what is due."""
        if self._checks:
            self._checks.kill_due()
        for ended in self._runner.reap():
            self._note_end(ended)

    def start_some(self, limit: int) -> bool:
        """Start at most ``limit`` of the jobs that fit now; True when there may be more."""
        if self.python.take_news():
            self._placed.extendleft(reversed(self._warming))
            self._warming.clear()
        left_sec = self._ends_at - self._clock()
        limit = int(min(limit, self._max_running - len(self._running) - len(self._warming)))
        found = self._pending.starts(self._allocation, left_sec, limit) if limit and not self._placed else []
        self._placed.extend(_Placed(*start) for start in found)
        if self._pending and not self._placed:
            self._weed(left_sec)
        has_room = False
        while self._placed and self._retry_at <= self._clock():
            has_room |= not self._start(self._placed.popleft())
        return has_room or (bool(found) and len(found) == limit)

    def kill_leftovers(self) -> bool:
        """Kill what jobs that ended have left in sessions of their own; False when there is nothing."""
        return self._runner.kill_adopted()

    def _queue(self, spec: JobSpec) -> None:
        try:
            reason = self._allocation.why_impossible(spec)
            if not reason:
                self._pending.add([spec])
        except (ArithmeticError, TypeError, ValueError) as error:
            problem = f"Cannot place {spec.name!r}: its resources make no sense ({error}). Correct the job."
            self._outbox.end(spec.job_id, spec.attempt, None, self._clock(), problem)
        else:
            if reason:
                self._outbox.give_back(spec.job_id, spec.attempt, reason)

    def _start(self, placed: _Placed) -> bool:
        """Start a job, or see to it that somebody hears why not; False when its place is free again."""
        spec = placed.spec
        try:
            start = self._commands.start_of(spec, placed.placement)
            if not spec.app_id:
                self._runner.start(spec.job_id, start)
            elif not self.python.start(spec, start):
                self._warming.append(placed)
                return True
        except JobStartError as error:
            self._fail(placed, str(error))
            return False
        except OSError as error:
            return self._postpone(placed, error)
        self._running[spec.job_id] = placed
        self._outbox.start(spec.job_id, spec.attempt, self._clock(), where(placed.placement))
        return True

    def _postpone(self, placed: _Placed, error: OSError) -> bool:
        """Try again later: the machine is short of something. False when no other job has it."""
        if self._running:
            self._placed.appendleft(placed)
            self._retry_at = self._clock() + SHORTAGE_SEC
            return True
        self._fail(placed, str(start_errors.short_of_resources(placed.spec.name, error)))
        return False

    def _fail(self, placed: _Placed, reason: str) -> None:
        self._allocation.release(placed.placement)
        self._outbox.end(placed.spec.job_id, placed.spec.attempt, None, self._clock(), reason)

    def _note_end(self, ended: Ended) -> None:
        if self._checks and self._checks.note_end(ended):
            self._settle(self._checks)
            return
        if self.python.note_end(ended):
            return
        placed = self._running.pop(ended.key)
        has_failed = bool(ended.return_code) and not ended.was_told
        if has_failed and self._checks and self._checks.begin(placed.placement.nodes):
            self._doubtful[ended.key] = (placed, ended)
            self._settle(self._checks)
        else:
            self._finish(placed, ended)

    def _settle(self, checks: NodeChecks) -> None:
        """Close nodes that do not answer, and tell the ends of jobs that no answer is missing for."""
        for node in checks.dead - self._closed:
            self._closed.add(node)
            self._allocation.close_node(node)
            self._outbox.lose_node(node, "it does not answer any more")
            for spec in self._pending.drain():
                self._queue(spec)
        for key, (placed, ended) in list(self._doubtful.items()):
            nodes = placed.placement.nodes
            gone = checks.dead.intersection(nodes)
            if gone or not checks.is_waiting(nodes):
                del self._doubtful[key]
                self._finish(placed, ended, lost_with=", ".join(sorted(gone)))

    def _finish(self, placed: _Placed, ended: Ended, *, lost_with: str = "") -> None:
        """Tell of an end, and free the place."""
        spec = placed.spec
        self._allocation.release(placed.placement)
        self._retry_at = -math.inf
        outcome = self.python.take_outcome(spec)
        if lost_with:
            reason = f"Lost with {lost_with}, which does not answer any more (exit code {ended.return_code})"
            self._outbox.lose(spec.job_id, spec.attempt, reason)
        else:
            if outcome is not None:
                self._outbox.keep_outcome(spec.job_id, spec.attempt, outcome)
            self._tell_end(spec, ended)
        if again := self._again.pop(spec.job_id, None):
            self.accept([again])

    def _tell_end(self, spec: JobSpec, ended: Ended) -> None:
        tail = "" if ended.return_code == 0 else output_tail(os.path.join(spec.workdir, spec.output_name))
        code = exit_code(ended, by_mpi=self._commands.use_mpi)
        self._outbox.end(spec.job_id, spec.attempt, code, ended.ended_at, tail)

    def _weed(self, left_sec: float) -> None:
        """Return, now and then, what cannot end in the time that is left."""
        now = self._clock()
        if self._ends_at == math.inf or now < self._weeded_at + WEED_SEC:
            return
        self._weeded_at = now
        for spec in self._pending.take_too_long(self._allocation, left_sec):
            reason = self._allocation.why_not_now(spec, left_sec)
            self._outbox.give_back(spec.job_id, spec.attempt, reason or "")

    def _return(self, specs: Iterable[JobSpec]) -> None:
        for spec in specs:
            self._outbox.give_back(spec.job_id, spec.attempt)

    def _return_placed(self, job_ids: Container[str]) -> None:
        for jobs in (self._placed, self._warming):
            for placed in [placed for placed in jobs if placed.spec.job_id in job_ids]:
                jobs.remove(placed)
                self._allocation.release(placed.placement)
                self._return([placed.spec])


def exit_code(ended: Ended, *, by_mpi: bool) -> int | None:
    """Return the exit code of a job.

    An MPI launcher that was told to end may say 0 although signals ended all its ranks: that is no success.
    """
    is_doubtful = ended.was_told and ended.return_code == 0 and by_mpi
    return -signal.SIGTERM if is_doubtful else ended.return_code


def where(placement: Placement) -> str:
    """Name the nodes of a placement, or some of them."""
    shown = ",".join(placement.nodes[:MAX_NODES_SHOWN])
    more = len(placement.nodes) - MAX_NODES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown

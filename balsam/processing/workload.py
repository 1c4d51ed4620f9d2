"""The steps one processor holds, by how far they are: claimed, under way, done but not yet reported.

No threads and no database. At most one step of a job is under way at a time, and what an older claim of a job
led to is forgotten as soon as the job has been claimed again.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from balsam.processing.interruption import GRACE_SEC, Interruption
from balsam.processing.steps import hand_back
from balsam.schemas.jobs import StepResult, StepSpec

__all__ = ["Task", "Workload"]

#: Claim, besides a step for each that may run at once, what is done in this time.
_AHEAD_SEC = 0.1
_MAX_AHEAD = 64


@dataclass(slots=True, eq=False)
class Task:
    """A step under way."""

    spec: StepSpec
    interruption: Interruption = field(default_factory=Interruption)
    #: The job has been moved meanwhile, perhaps by this very hook, and claimed again.
    successor: StepSpec | None = None


class Workload:
    """Bookkeeping for at most ``concurrency`` steps under way at once.

    The caller sees to it that one thread at a time is in it.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        #: Running mean; long at first, so that nothing is hoarded before the first step is done.
        self._step_sec = 1.0
        self._waiting: deque[StepSpec] = deque()
        self._running: dict[str, Task] = {}
        self._results: dict[str, StepResult] = {}
        self._is_closed = False
        self._is_abandoned = False

    @property
    def is_closed(self) -> bool:
        """Say whether nothing is begun any more."""
        return self._is_closed

    @property
    def room(self) -> int:
        """How many steps to claim now: those that could begin, and a few more where steps are quick."""
        if self._is_closed:
            return 0
        held, wanted = len(self._waiting) + len(self._running), self._concurrency
        if self._step_sec < _AHEAD_SEC:
            wanted += min(_MAX_AHEAD, int(self._concurrency * _AHEAD_SEC / max(self._step_sec, 1e-4)))
        return wanted - held if held < self._concurrency or held <= wanted // 2 else 0

    @property
    def has_results(self) -> bool:
        """Something is to be reported."""
        return bool(self._results)

    def job_ids(self) -> list[str]:
        """Jobs that have been claimed and whose result has not been reported."""
        return list(dict.fromkeys([*(spec.job_id for spec in self._waiting), *self._running, *self._results]))

    def add(self, specs: Iterable[StepSpec]) -> None:
        """Take over claimed steps; one whose job has a step under way waits until that has ended."""
        for spec in specs:
            self._results.pop(spec.job_id, None)
            if spec.job_id in self._running:
                self._running[spec.job_id].successor = spec
            else:
                self._admit(spec)

    def start_next(self) -> Task | None:
        """Begin the step that has waited longest; None when none waits."""
        if not self._waiting:
            return None
        task = Task(self._waiting.popleft())
        self._running[task.spec.job_id] = task
        return task

    def finish(self, task: Task, result: StepResult | None, took_sec: float) -> None:
        """Note what a step led to; None hands the job back."""
        del self._running[task.spec.job_id]
        self._step_sec += 0.3 * (took_sec - self._step_sec)
        if task.successor is not None:
            self._admit(task.successor)
        else:
            reason = "Interrupted; the step will be done again"
            self._keep(result or hand_back(task.spec, reason))

    def take_results(self, limit: int) -> list[StepResult]:
        """Return the oldest results; each stays until it is `reported`."""
        return list(self._results.values())[:limit]

    def reported(self, results: Iterable[StepResult]) -> None:
        """Forget results that have arrived."""
        for result in results:
            if self._results.get(result.job_id) is result:
                del self._results[result.job_id]

    def put_off(self, results: Iterable[StepResult]) -> None:
        """Have results that could not be reported wait behind the others."""
        for result in results:
            if self._results.get(result.job_id) is result:
                self._results[result.job_id] = self._results.pop(result.job_id)

    def running_ids(self) -> list[str]:
        """Jobs with a step under way."""
        return list(self._running)

    def drop_waiting(self, job_ids: Iterable[str]) -> None:
        """Hand back those of these jobs' steps that were not begun."""
        wanted = set(job_ids)
        dropped = [spec for spec in self._waiting if spec.job_id in wanted]
        self._waiting = deque(spec for spec in self._waiting if spec.job_id not in wanted)
        for spec in dropped:
            self._keep(hand_back(spec, ""))

    def interrupt(self, job_ids: Iterable[str], grace_sec: float = GRACE_SEC) -> None:
        """Have those of these jobs' steps end that are under way."""
        for job_id in self._running.keys() & set(job_ids):
            self._running[job_id].interruption.set(grace_sec)

    def close(self) -> None:
        """Begin nothing any more: what waits, or comes, is handed back."""
        self._is_closed = True
        self.drop_waiting([spec.job_id for spec in self._waiting])

    def abandon(self) -> None:
        """Close, have every step end, and keep no results: nobody takes them any more."""
        self._is_abandoned = True
        self.close()
        self.interrupt(self._running)
        self._results.clear()

    def _keep(self, result: StepResult) -> None:
        if not self._is_abandoned:
            self._results[result.job_id] = result

    def _admit(self, spec: StepSpec) -> None:
        if self._is_closed:
            self._keep(hand_back(spec, ""))
        else:
            self._waiting.append(spec)

"""Wait for jobs as for the results of function calls.

Word of the database that a job has ended wakes whoever waits, so a result is there at once; the poll period
only bounds how long a lost word could matter.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from balsam.core import killing, waiting
from balsam.core.models import BalsamJob
from balsam.exceptions import TaskFailed, UsageError, WaitTimeout
from balsam.states import JobState

__all__ = ["FutureTask", "TaskFailed", "WaitResult", "wait"]

ANY_COMPLETED = "ANY_COMPLETED"
ALL_COMPLETED = "ALL_COMPLETED"


class FutureTask:
    """The outcome of a job, now or later.

    ``done_callback(job, *args, **kwargs)`` makes the result of a job that has finished, once;
    ``fail_callback``, called alike, that of a failed one. Other attributes may be set freely.
    """

    def __init__(
        self,
        job: BalsamJob,
        done_callback: Callable[..., Any],
        fail_callback: Callable[..., Any] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self.job = job
        self._done_callback = done_callback
        self._fail_callback = fail_callback
        self._args = args
        self._kwargs = kwargs
        self._end: JobState | None = None
        self._result: Any = None
        self._has_result = False

    @property
    def active(self) -> bool:
        """The job has not ended; looks into the database."""
        return self._look() is None

    @property
    def done(self) -> bool:
        """The job has finished."""
        return self._look() is JobState.JOB_FINISHED

    @property
    def failed(self) -> bool:
        """The job has failed."""
        return self._look() is JobState.FAILED

    @property
    def cancelled(self) -> bool:
        """The job was killed, or deleted."""
        return self._look() is JobState.USER_KILLED

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the job's end, at most ``timeout`` seconds, and return its result; None if it was killed.

        Raises TaskFailed for a failed job without ``fail_callback``, WaitTimeout (a TimeoutError) if the job
        has not ended in time.
        """
        wait([self], timeout)
        if not self._has_result:
            self._result = self._make_result()
            self._has_result = True
        return self._result

    def cancel(self) -> None:
        """Kill the job and everything that depends on it."""
        killing.kill_tree(self.job.job_id, recursive=True)

    def _look(self) -> JobState | None:
        """Return the state the job has ended in; None while it is active."""
        if self._end is None:
            self._learn(waiting.ends([self.job.job_id]).get(self.job.job_id))
        return self._end

    def _learn(self, end: JobState | None) -> None:
        self._end = end

    def _make_result(self) -> Any:
        if self._end is JobState.USER_KILLED:
            return None
        self.job.refresh_from_db()
        if self._end is JobState.JOB_FINISHED:
            return self._done_callback(self.job, *self._args, **self._kwargs)
        if self._fail_callback is None:
            reason = self.job.get_recent_state_str()
            raise TaskFailed(f"Job {self.job.cute_id} has failed: {reason}")
        return self._fail_callback(self.job, *self._args, **self._kwargs)


class WaitResult(NamedTuple):
    """Futures by what has become of their jobs, each in the order given."""

    active: list[FutureTask]
    done: list[FutureTask]
    failed: list[FutureTask]
    cancelled: list[FutureTask]


def wait(
    futures: Iterable[FutureTask],
    timeout: float | None = None,
    return_when: Literal["ANY_COMPLETED", "ALL_COMPLETED"] = "ANY_COMPLETED",
    poll_period: float = 1.0,
) -> WaitResult:
    """Wait until any or all of the jobs have ended; at once for no futures.

    Looks at least every ``poll_period`` seconds. Raises WaitTimeout (a TimeoutError) when ``timeout`` seconds
    have passed.
    """
    if return_when not in (ANY_COMPLETED, ALL_COMPLETED):
        raise UsageError(f"return_when is {return_when!r}; it must be {ANY_COMPLETED} or {ALL_COMPLETED}.")
    tasks = list(futures)
    enough = all if return_when == ALL_COMPLETED else any

    def is_over() -> bool:
        pending = [task for task in tasks if task._end is None]
        ends = waiting.ends(task.job.job_id for task in pending)
        for task in pending:
            task._learn(ends.get(task.job.job_id))
        return enough(task._end is not None for task in tasks)

    if tasks and not waiting.wait_for_ends(is_over, timeout, poll_period):
        left = sum(task._end is None for task in tasks)
        raise WaitTimeout(f"{left} of {len(tasks)} jobs have not ended within {timeout} s.")
    return _sorted(tasks)


def _sorted(tasks: list[FutureTask]) -> WaitResult:
    def of(end: JobState | None) -> list[FutureTask]:
        return [task for task in tasks if task._end is end]

    return WaitResult(of(None), of(JobState.JOB_FINISHED), of(JobState.FAILED), of(JobState.USER_KILLED))

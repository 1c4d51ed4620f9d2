"""Wait for jobs to end: told by the server as it happens, and looked at now and then all the same."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

from balsam.api.connection import client
from balsam.api.long_filters import read_all
from balsam.exceptions import UsageError, WaitTimeout
from balsam.schemas.resources import RESOURCES, Query
from balsam.states import END_STATES

if TYPE_CHECKING:
    from balsam.api.models import Job

__all__ = ["WaitResult", "as_completed", "wait"]


class WaitResult(NamedTuple):
    """Jobs by whether they have ended, in the order given."""

    done: "list[Job]"
    not_done: "list[Job]"


def wait(
    jobs: "list[Job]",
    timeout: float | None = None,
    poll_interval: float = 1.0,
    return_when: Literal["ALL_COMPLETED", "FIRST_COMPLETED"] = "ALL_COMPLETED",
) -> WaitResult:
    """Wait until all of these jobs have ended, or the first; at most ``timeout`` seconds, which is no error.

    Jobs that have ended are refreshed. Looks at least every ``poll_interval`` seconds.
    """
    if return_when not in ("ALL_COMPLETED", "FIRST_COMPLETED"):
        raise UsageError(f"return_when is {return_when!r}; it must be ALL_COMPLETED or FIRST_COMPLETED.")
    ended: set[int] = set()

    def is_over() -> bool:
        ended.update(_ended([job for job in jobs if job.id not in ended]))
        return len(ended) >= (len(jobs) if return_when == "ALL_COMPLETED" else min(1, len(jobs)))

    wait_for(is_over, timeout, poll_interval)
    done = [job for job in jobs if job.id in ended]
    if done:
        type(done[0]).objects.bulk_refresh(done)
    return WaitResult(done, [job for job in jobs if job.id not in ended])


def as_completed(
    jobs: "list[Job]", timeout: float | None = None, poll_interval: float = 1.0
) -> "Iterator[Job]":
    """Yield jobs as they end; raises WaitTimeout (a TimeoutError) when ``timeout`` seconds are over."""
    until = None if timeout is None else time.monotonic() + timeout
    pending = list(jobs)
    while pending:
        left = None if until is None else max(0.0, until - time.monotonic())
        done, pending = wait(pending, left, poll_interval, "FIRST_COMPLETED")
        if not done:
            raise WaitTimeout(f"{len(pending)} of {len(jobs)} jobs have not ended within {timeout} s.")
        yield from done


def wait_for(is_over: Callable[[], bool], timeout: float | None, poll_interval: float) -> bool:
    """Look now, whenever jobs end, and at least every ``poll_interval`` seconds; False after ``timeout``."""
    if is_over():
        return True
    until = None if timeout is None else time.monotonic() + timeout
    listener = client().listen()
    try:
        while not is_over():
            left = poll_interval if until is None else min(poll_interval, until - time.monotonic())
            if left <= 0:
                return False
            listener.wait(left)
        return True
    finally:
        listener.close()


def _ended(jobs: "list[Job]") -> list[int]:
    """Return the ids of those that have ended, or are gone."""
    numbers = [job.id for job in jobs]
    if not numbers:
        return []
    running = Query(filters={"id": numbers, "state__ne": list(END_STATES)})
    left = {record["id"] for record in read_all(RESOURCES["job"], running)}
    return [number for number in numbers if number not in left]

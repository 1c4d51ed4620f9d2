"""Jobs that wait for a place, and which of them start now; pure.

By priority, then in the order given; smaller jobs go ahead of one that does not fit, yet not for ever: one
that has waited for too many of them has the nodes it needs kept free. Jobs that ask for the same stand in
one line, so the cost of a start does not depend on how many wait.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterable, Iterator

from balsam.launcher.placement import Allocation, Placement
from balsam.launcher.shapes import Shape, shape_of
from balsam.schemas.jobs import JobSpec

__all__ = ["PATIENCE", "PendingQueue"]

#: Nodes are kept free for a job that waited while this many times as many started as run at once: all that
#: ran has then been replaced about as many times.
PATIENCE = 4

#: What makes jobs the same to this queue: priority, resources, and expected minutes.
_Likeness = tuple[int, Shape, int]


class PendingQueue:
    """Jobs to start; a job is known by its id, and one that is added again replaces the former."""

    def __init__(self) -> None:
        #: By id, with the number it got when it was added.
        self._jobs: dict[str, tuple[int, JobSpec]] = {}
        self._last_number = 0
        self._lines: dict[_Likeness, _Line] = {}
        self._num_started = 0
        #: The lines in order: negative priority, number of the first job, line.
        self._ranked: list[tuple[int, int, _Line]] = []

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[JobSpec]:
        """Go through the jobs in the order in which they are tried."""
        ranked = sorted(self._jobs.values(), key=lambda numbered: (-numbered[1].priority, numbered[0]))
        return iter([job for _, job in ranked])

    def add(self, jobs: Iterable[JobSpec]) -> None:
        """Put jobs behind those of their priority."""
        for job in jobs:
            self._last_number += 1
            self._jobs[job.job_id] = (self._last_number, job)
            likeness = (job.priority, shape_of(job), job.wall_time_min)
            line = self._lines.get(likeness)
            if line is None:
                line = self._lines[likeness] = _Line(likeness)
                insort(self._ranked, (-job.priority, self._last_number, line))
            line.jobs.append((self._last_number, job))

    def remove(self, job_id: str) -> JobSpec | None:
        """Take one job out; None when it does not wait here."""
        numbered = self._jobs.pop(job_id, None)
        return numbered[1] if numbered else None

    def drain(self) -> list[JobSpec]:
        """Take all jobs out."""
        jobs = list(self)
        self._jobs.clear()
        self._lines.clear()
        self._ranked.clear()
        return jobs

    def take_too_long(self, allocation: Allocation, time_left_sec: float) -> list[JobSpec]:
        """Take out the jobs that cannot finish in the time left; no others would ever start them here."""
        too_long = [job for job in self if not allocation.allows_time(job, time_left_sec)]
        for job in too_long:
            self.remove(job.job_id)
        return too_long

    def starts(
        self, allocation: Allocation, time_left_sec: float, limit: int | None = None
    ) -> list[tuple[JobSpec, Placement]]:
        """Take out the jobs that start now, at most ``limit``, each with the place it has been given."""
        started: list[tuple[JobSpec, Placement]] = []
        kept_free: frozenset[int] = frozenset()
        at = 0
        while at < len(self._ranked) and not allocation.is_full and len(started) != limit:
            line = self._ranked[at][2]
            job = self._first_at(at)
            if job is None:
                continue
            if not allocation.allows_time(job, time_left_sec):
                at += 1
                continue
            placement = allocation.place_shape(line.shape, avoid=kept_free)
            if placement is None:
                kept_free = kept_free or line.nodes_to_keep(self._num_started, allocation)
                at += 1
                continue
            del self._jobs[job.job_id]
            line.advance()
            self._num_started += 1
            started.append((job, placement))
        return started

    def _first_at(self, at: int) -> JobSpec | None:
        """Return the first job of the line at this place of the ranking, if that is still its place.

        Else put the line where it belongs by now, or forget it when nobody stands in it any more.
        """
        negative_priority, rank, line = self._ranked[at]
        while line.jobs:
            number, job = line.jobs[0]
            current = self._jobs.get(job.job_id)
            if current is None or current[0] != number:  # taken out or replaced
                line.jobs.popleft()
            elif number == rank:
                return job
            else:
                del self._ranked[at]
                insort(self._ranked, (negative_priority, number, line), lo=at)
                return None
        del self._ranked[at]
        del self._lines[line.likeness]
        return None


class _Line:
    """Jobs that are the same to placement, first come first."""

    __slots__ = ("_kept", "_refused_at", "jobs", "likeness", "shape")

    def __init__(self, likeness: _Likeness) -> None:
        self.likeness = likeness
        self.shape = likeness[1]
        #: Each with its number; also those that have been taken out of the queue since.
        self.jobs: deque[tuple[int, JobSpec]] = deque()
        #: How many jobs of the queue had started when the first was refused a place.
        self._refused_at: int | None = None
        self._kept: frozenset[int] = frozenset()

    def advance(self) -> None:
        """Let the first go, which has started."""
        self.jobs.popleft()
        self._refused_at = None
        self._kept = frozenset()

    def nodes_to_keep(self, num_started: int, allocation: Allocation) -> frozenset[int]:
        """Take note that the first was refused; once that has lasted too long, name nodes for it."""
        if self._refused_at is None:
            self._refused_at = num_started
        waited = num_started - self._refused_at
        if not self._kept and waited >= PATIENCE * max(1, allocation.num_running):
            self._kept = allocation.soonest(self.shape)
        return self._kept

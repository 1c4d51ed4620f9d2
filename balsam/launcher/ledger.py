"""What a launcher holds and what it still has to report; pure bookkeeping, times by a monotonic clock.

Every claimed job is in `held` until its end, or its return, is in a report; nothing is forgotten in between.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from balsam.schemas.jobs import JobReport, JobSpec, Step
from balsam.schemas.python_calls import Outcome
from balsam.states import JobState as S

__all__ = ["Ending", "HeldJob", "Ledger"]


@dataclass(slots=True)
class HeldJob:
    """A claimed job: queued at a worker, or started."""

    spec: JobSpec
    worker: int
    is_started: bool = False
    #: The core has taken it away (killed, deleted, reset): its end is nobody's business.
    is_lost: bool = False
    #: What its Python application has left.
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a started job ended: ``return_code`` None means that it could not be started at all."""

    job_id: str
    attempt: int
    return_code: int | None
    tail: str = ""


@dataclass(slots=True)
class _Pending:
    """A report that is not sent yet; steps with the time they happened."""

    attempt: int
    steps: list[tuple[S, float, str]] = field(default_factory=list)
    return_code: int | None = None
    message: str = ""
    outcome: Outcome | None = None

    @property
    def size(self) -> int:
        """Characters of what its Python application has left."""
        return sum(map(len, self.outcome or ()))


class Ledger:
    """The jobs a launcher holds and the reports it owes."""

    def __init__(self) -> None:
        self.held: dict[str, HeldJob] = {}
        self._pending: dict[str, _Pending] = {}
        #: Jobs that can never be placed here, with the reason.
        self.unplaceable: dict[str, str] = {}
        #: Started and not ended.
        self.running = 0
        #: Starts of jobs of several ranks.
        self.parallel_starts = 0
        self._queued: Counter[int] = Counter()
        self._held_by: Counter[int] = Counter()

    def assign(self, specs: Iterable[JobSpec], worker: int) -> None:
        """Note that these jobs are claimed and go to a worker."""
        for spec in specs:
            self._drop(spec.job_id)  # an earlier attempt that was taken away and has not ended yet
            self.held[spec.job_id] = HeldJob(spec, worker)
            self._queued[worker] += 1
            self._held_by[worker] += 1

    def refuse(self, spec: JobSpec, reason: str, when: float) -> None:
        """Owe the report that a claimed job fails before it is started."""
        self._owe(spec.job_id, spec.attempt).steps.append((S.FAILED, when, reason))

    def start(self, job_id: str, attempt: int, when: float) -> HeldJob | None:
        """Note a start; None for an attempt that is not held."""
        job = self._current(job_id, attempt)
        if job is None:
            return None
        job.is_started = True
        self.running += 1
        self.parallel_starts += job.spec.num_ranks > 1
        self._queued[job.worker] -= 1
        if not job.is_lost:
            self._owe(job_id, attempt).steps.append((S.RUNNING, when, ""))
        return job

    def keep_outcome(self, job_id: str, attempt: int, outcome: Outcome) -> None:
        """Note what a Python application has left, to be reported with its end."""
        job = self._current(job_id, attempt)
        if job is not None:
            job.outcome = outcome

    def end(self, ending: Ending, when: float, *, stopped: str = "") -> HeldJob | None:
        """Note an end; ``stopped`` says why this launcher was stopping its jobs, if it was."""
        job = self._current(ending.job_id, ending.attempt)
        if job is None:
            return None
        self._drop(ending.job_id)
        if job.is_lost:
            return job
        pending = self._owe(ending.job_id, ending.attempt)
        pending.return_code = ending.return_code
        pending.outcome = job.outcome
        pending.steps.append(_step(ending, job, stopped, when))
        return job

    def give_back(self, job_id: str, attempt: int, reason: str, *, is_hopeless: bool) -> None:
        """Note that a worker returned a job unstarted; a hopeless one is not claimed again."""
        job = self._current(job_id, attempt)
        if job is None:
            return
        self._drop(job_id)
        if job.is_lost:
            return
        self._owe(job_id, attempt).message = reason if is_hopeless else ""
        if is_hopeless:
            self.unplaceable[job_id] = reason

    def lose_job(self, job_id: str, attempt: int, reason: str, when: float) -> bool:
        """Owe that a started job goes back, whose node is gone; False for one that is not held."""
        job = self._current(job_id, attempt)
        if job is None:
            return False
        self._drop(job_id)
        if not job.is_lost:
            self._owe(job_id, attempt).steps.append((S.RESTART_READY, when, reason))
        return True

    def lose_worker(self, worker: int, reason: str, when: float) -> list[HeldJob]:
        """Owe that everything a dead worker had goes back; return what it had."""
        gone = [job for job in self.held.values() if job.worker == worker]
        for job in gone:
            self._drop(job.spec.job_id)
            if job.is_lost:
                continue
            pending = self._owe(job.spec.job_id, job.spec.attempt)
            if job.is_started:
                pending.steps.append((S.RESTART_READY, when, reason))
        return gone

    def lose(self, job_ids: Iterable[str]) -> list[HeldJob]:
        """Note that the core has taken jobs away; return those that are here."""
        lost = []
        for job_id in job_ids:
            self._pending.pop(job_id, None)
            job = self.held.get(job_id)
            if job is not None and not job.is_lost:
                job.is_lost = True
                lost.append(job)
        return lost

    def parallel_in_all(self) -> int:
        """Count the starts of jobs of several ranks, those that are to come of what is queued, too."""
        queued = sum(job.spec.num_ranks > 1 for job in self.held.values() if not job.is_started)
        return self.parallel_starts + queued

    def queued(self, worker: int) -> int:
        """How many jobs a worker has been given that have not started."""
        return self._queued[worker]

    def holds_for(self, worker: int) -> int:
        """How many jobs a worker has, queued or started."""
        return self._held_by[worker]

    @property
    def owes(self) -> int:
        """Number of reports not taken yet."""
        return len(self._pending)

    def take_reports(self, now: float, limit: int = 1000, max_size: int = 4_000_000) -> list[JobReport]:
        """Take the oldest owed reports, with outcomes of about ``max_size`` characters at most.

        Their ages count from ``now``.
        """
        ids: list[str] = []
        size = 0
        for job_id, pending in self._pending.items():
            size += pending.size
            if len(ids) == limit or (ids and size > max_size):
                break
            ids.append(job_id)
        return [_report(job_id, self._pending.pop(job_id), now) for job_id in ids]

    def peek_reports(self, now: float) -> list[JobReport]:
        """Return everything owed without taking it."""
        return [_report(job_id, pending, now) for job_id, pending in self._pending.items()]

    def known_ids(self) -> list[str]:
        """Ids of all jobs that are held or owed a report."""
        return [*self.held, *(job_id for job_id in self._pending if job_id not in self.held)]

    def _current(self, job_id: str, attempt: int) -> HeldJob | None:
        """The held job, if it is this attempt of it: word of an earlier one may come late."""
        job = self.held.get(job_id)
        return job if job is not None and job.spec.attempt == attempt else None

    def _drop(self, job_id: str) -> HeldJob | None:
        job = self.held.pop(job_id, None)
        if job is not None:
            self._held_by[job.worker] -= 1
            if job.is_started:
                self.running -= 1
            else:
                self._queued[job.worker] -= 1
        return job

    def _owe(self, job_id: str, attempt: int) -> _Pending:
        return self._pending.setdefault(job_id, _Pending(attempt))


def _step(ending: Ending, job: HeldJob, stopped: str, when: float) -> tuple[S, float, str]:
    if ending.return_code is None:
        return S.FAILED, when, ending.tail
    if ending.return_code == 0:
        return S.RUN_DONE, when, ""
    if stopped and job.is_started:
        return S.RUN_TIMEOUT, when, stopped
    return S.RUN_ERROR, when, _error_text(ending)


def _error_text(ending: Ending) -> str:
    code = ending.return_code or 0
    what = f"exit code {code}" if code > 0 else f"killed by signal {-code}"
    return f"{what}\n{ending.tail}" if ending.tail else what


def _report(job_id: str, pending: _Pending, now: float) -> JobReport:
    return JobReport(
        job_id=job_id,
        attempt=pending.attempt,
        steps=tuple(Step(state, max(0.0, now - when), message) for state, when, message in pending.steps),
        return_code=pending.return_code,
        message=pending.message,
        value=pending.outcome[0] if pending.outcome else None,
        exception=pending.outcome[1] if pending.outcome else None,
    )

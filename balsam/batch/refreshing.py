"""Bring batch jobs up to date with the scheduler.

Guards that silence never ends a batch job: only a complete listing can miss one, the account is asked then,
and what neither knows is given up after it has been missed for some time by the database's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from balsam.batch.cancelling import cancel_again
from balsam.batch.desk import Desk, open_desk
from balsam.batch.last_words import with_last_words
from balsam.batch.searching import PATIENCE_SEC, VANISH_SEC, Found, find_by_marker, since_when
from balsam.exceptions import BalsamError
from balsam.platform.scheduler import History, Listing, PastBatchJob, QueuedBatchJob
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobObservation
from balsam.states import BatchJobEnd, BatchJobState

__all__ = ["Refreshed", "refresh", "refresh_active"]

B = BatchJobState


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What a refresh has found."""

    listing: Listing
    #: Batch jobs that it has found ended.
    ended: tuple[int, ...] = ()
    #: What could not be learned; '' when everything was.
    problem: str = ""
    #: Numbers of batch jobs that were submitted twice, and are being cancelled.
    cancelled_twins: tuple[str, ...] = field(default=())


def refresh(desk: Desk) -> Refreshed:
    """Ask the scheduler about all batch jobs, and record what it says."""
    infos = [info for info in desk.client.batch_jobs() if desk.is_ours(info)]
    listing = desk.ask_listing()
    observations = [_seen(desk, job) for job in listing.jobs.values() if not _ended_somehow(job)]
    problem = listing.problem
    if listing.is_complete:
        absent = _absent(infos, listing)
        history = _history(desk, absent)
        if history is not None and not history.is_complete:
            problem = history.problem
        observations += [_absence(desk, info, listing, history) for info in absent]
    _adopt(desk, infos, listing)
    reply = desk.client.observe_batch_jobs(with_last_words(desk, infos, observations), desk.site_id)
    listed = [info for info in infos if info.scheduler_id in listing.jobs]
    cancel_again(desk, listed)
    twins = _cancel_twins(desk, listed, listing)
    return Refreshed(listing=listing, ended=reply.ended, problem=problem, cancelled_twins=twins)


def refresh_active(db_path: Path) -> None:
    """Refresh the batch jobs of a database by the user's settings; raises BalsamError when that fails."""
    if problem := refresh(open_desk(db_path)).problem:
        raise BalsamError(f"The scheduler cannot be read: {problem}")


def _ended_somehow(job: QueuedBatchJob) -> bool:
    """Whether a listed batch job has ended in a way that only the account may know."""
    return job.state is B.FINISHED and job.end is BatchJobEnd.UNKNOWN


def _absent(infos: Sequence[BatchJobInfo], listing: Listing) -> list[BatchJobInfo]:
    """Return the submitted batch jobs that the listing does not show, or only as ended somehow."""
    shown = {job_id for job_id, job in listing.jobs.items() if not _ended_somehow(job)}
    return [info for info in infos if info.scheduler_id and info.scheduler_id not in shown]


def _history(desk: Desk, absent: Sequence[BatchJobInfo]) -> History | None:
    ours = [info for info in absent if info.from_balsam]
    if not ours:
        return None
    return desk.ask_history([info.scheduler_id for info in ours], min(map(since_when, ours)))


def _seen(desk: Desk, job: QueuedBatchJob) -> BatchJobObservation:
    return BatchJobObservation(
        scheduler=desk.adapter.name,
        scheduler_id=job.scheduler_id,
        state=job.state,
        native_state=job.native_state,
        name=job.name,
        queue=job.queue,
        project=job.project,
        num_nodes=job.num_nodes,
        wall_time_min=job.wall_time_min,
        end=job.end if job.state is B.FINISHED else None,
        reason=job.reason,
    )


def _absence(
    desk: Desk, info: BatchJobInfo, listing: Listing, history: History | None
) -> BatchJobObservation:
    """Say what it means that a complete listing does not show a batch job."""
    listed = listing.jobs.get(info.scheduler_id)
    past = _account_of(info, history)
    if past is not None and past.end is not None:
        return _ended(desk, info, past.end, past)
    if listed is not None:
        return _ended(
            desk,
            info,
            listed.end,
            PastBatchJob(scheduler_id=info.scheduler_id, native_state=listed.native_state),
        )
    if not info.from_balsam:
        return _ended(desk, info, BatchJobEnd.UNKNOWN)
    is_unaccounted = past is None and (history is None or history.is_complete)
    patience_sec = VANISH_SEC if is_unaccounted else PATIENCE_SEC
    if info.missing_since is not None and info.age_sec(info.missing_since) >= patience_sec:
        return _ended(desk, info, BatchJobEnd.VANISHED)
    return BatchJobObservation(
        scheduler=desk.adapter.name, scheduler_id=info.scheduler_id, state=B.UNKNOWN, is_missing=True
    )


def _account_of(info: BatchJobInfo, history: History | None) -> PastBatchJob | None:
    """Return the account of a batch job; that of an older one with the same number has another name."""
    past = None if history is None else history.jobs.get(info.scheduler_id)
    is_other = past is not None and past.name and past.name != info.marker
    return None if is_other else past


def _ended(
    desk: Desk, info: BatchJobInfo, end: BatchJobEnd, past: PastBatchJob | None = None
) -> BatchJobObservation:
    return BatchJobObservation(
        scheduler=desk.adapter.name,
        scheduler_id=info.scheduler_id,
        state=B.FINISHED,
        native_state=past.native_state if past else "",
        started=past.started_at if past else None,
        ended=past.ended_at if past else None,
        end=end,
        reason=(past.reason if past else "") or _REASONS.get(end, ""),
    )


_REASONS = {BatchJobEnd.VANISHED: "The scheduler knows nothing of it any more"}


def _adopt(desk: Desk, infos: Sequence[BatchJobInfo], listing: Listing) -> None:
    """Find out about those of which nobody knows whether the scheduler has taken them."""
    ids = {job.name: job.scheduler_id for job in listing.jobs.values()}
    for info in infos:
        if info.scheduler_id or info.submit_began is None:
            continue
        is_unwanted = info.state is B.PENDING_DELETION  # otherwise `submit` looks
        found = find_by_marker(desk, info, listing) if is_unwanted else Found(ids.get(info.marker, ""))
        if found.scheduler_id:
            desk.client.record_submission(info.batch_job_id, found.scheduler_id, str(desk.script_of(info)))
        elif found.is_absent:
            desk.client.refuse_submission(info.batch_job_id, "Cancelled; the scheduler had not taken it")


def _cancel_twins(desk: Desk, listed: Sequence[BatchJobInfo], listing: Listing) -> tuple[str, ...]:
    """Cancel what was submitted twice, by one that slept through its lease; the recorded one stays."""
    kept = {i.marker: i.scheduler_id for i in listed if listing.jobs[i.scheduler_id].name == i.marker != ""}
    twins = tuple(
        job.scheduler_id
        for job in listing.jobs.values()
        if job.name in kept and job.scheduler_id != kept[job.name] and job.state is not B.FINISHED
    )
    for scheduler_id in twins:
        desk.ask_cancel(scheduler_id)
    return twins

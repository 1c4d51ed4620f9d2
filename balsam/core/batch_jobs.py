"""Batch jobs: intents, and the fence that lets one process submit each of them.

The intent is committed before anything is asked of a scheduler. Only the database's clock decides how long a
submission may take.
"""

from collections.abc import Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from balsam.core import notices
from balsam.core.batch_texts import storable
from balsam.core.models.job import BalsamJob
from balsam.core.models.launch import QueuedLaunch, new_marker
from balsam.core.models.site import FIRST_SITE, Site
from balsam.core.retrying import retrying
from balsam.exceptions import NotFoundError, UsageError
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobRequest
from balsam.schemas.batch_limits import BatchLimits
from balsam.states import BATCH_JOB_END_STATES, BATCH_JOB_LIVE_STATES, BatchJobEnd, BatchJobState

__all__ = [
    "batch_jobs",
    "begin_submission",
    "doubt_submission",
    "finish",
    "intend_batch_job",
    "record_submission",
    "refuse_submission",
    "request_batch_job_deletion",
    "require_workflow",
    "with_clock",
]

#: What `QueuedLaunch.state` says before the scheduler's own words.
_SUBMITTED = "submitted"
_REFUSED = "submit-failed"


def intend_batch_job(request: BatchJobRequest) -> BatchJobInfo:
    """Commit the intent to have a batch job.

    Raises UsageError for an impossible shape, and for what the site does not allow.
    """
    if request.num_nodes < 1 or request.wall_time_min < 1:
        raise UsageError(
            "A batch job needs at least 1 node and 1 minute, "
            f"not {request.num_nodes} nodes and {request.wall_time_min} minutes."
        )
    if request.job_mode not in ("serial", "mpi"):
        raise UsageError(f"The job mode is serial or mpi, not {request.job_mode!r}.")
    if problem := _limits_of(request.site_id).refusal(request):
        raise UsageError(problem)
    return _intend(request, new_marker())


def _limits_of(site_id: int) -> BatchLimits:
    """Return what a site allows; one that is not there allows everything."""
    names = [found.name for found in fields(BatchLimits)]
    record = Site.objects.filter(pk=site_id).values(*names).first()
    return BatchLimits(**(record or {}))


@retrying
def _intend(request: BatchJobRequest, marker: str) -> BatchJobInfo:
    with transaction.atomic():
        row, _ = QueuedLaunch.objects.get_or_create(
            marker=marker,
            defaults={
                "scheduler": request.scheduler,
                "project": request.project,
                "queue": request.queue,
                "nodes": request.num_nodes,
                "wall_minutes": request.wall_time_min,
                "job_mode": request.job_mode,
                "wf_filter": request.workflow,
                "sched_flags": request.sched_flags,
                "optional_params": dict(request.optional_params),
                "site_id": request.site_id,
                "filter_tags": dict(request.filter_tags),
                "partitions": None if request.partitions is None else list(request.partitions),
                "prescheduled_only": False,
            },
        )
        _tell(row)
        return _read(row.pk)


@retrying
def batch_jobs(
    *, live_only: bool = True, ids: Sequence[int] = (), sites: Sequence[int] | None = None
) -> list[BatchJobInfo]:
    """Return batch jobs in order of creation: all, or those of these ids, or at these sites.

    ``live_only`` leaves out those that have ended. Rows that a script has saved, and that nobody submits, are
    never among them.
    """
    rows = with_clock().exclude(marker=None, scheduler_id="")
    if live_only:
        rows = rows.filter(status__in=BATCH_JOB_LIVE_STATES)
    if ids:
        rows = rows.filter(pk__in=list(ids))
    if sites is not None:
        rows = rows.filter(site__in=list(sites))
    return [_info(row) for row in rows.order_by("pk")]


@retrying
def begin_submission(batch_job_id: int, lease_sec: float, scheduler: str = "") -> BatchJobInfo | None:
    """Let the caller alone submit a batch job, for ``lease_sec``; None when it may not.

    It may not while another's lease lasts, and when the batch job is not to be submitted any more. The reply
    shows when a submission was begun *before* this one. A batch job that was asked for without a scheduler
    (at a site, whose agent knows it) gets ``scheduler``.
    """
    with transaction.atomic():
        row = with_clock().select_for_update().filter(pk=batch_job_id).exclude(marker=None).first()
        if row is None or row.status != BatchJobState.PENDING_SUBMISSION:
            return None
        if row.submitting_until is not None and row.submitting_until > row.as_of:
            return None
        before = _info(row)
        QueuedLaunch.objects.filter(pk=batch_job_id).update(
            scheduler=row.scheduler or scheduler,
            submit_began=Now(),
            submitting_until=Now() + timedelta(seconds=lease_sec),
            missing_since=None,
        )
        return before


@retrying
def record_submission(batch_job_id: int, scheduler_id: str, command: str) -> BatchJobInfo:
    """Record that the scheduler has taken a batch job, and the script it runs; repeating it is harmless.

    Another live batch job with that id has ended: the scheduler uses the number again.
    """
    with transaction.atomic():
        row, scheduler_id = _locked(batch_job_id), storable(scheduler_id)
        if not row.scheduler_id:
            _end_former(row, scheduler_id)
            row.scheduler_id = scheduler_id
        if row.status in (BatchJobState.PENDING_SUBMISSION, BatchJobState.SUBMIT_FAILED):
            row.status, row.state = BatchJobState.QUEUED, _SUBMITTED
            row.end, row.ended, row.reason = None, None, ""
        row.submitted = row.submitted or row.as_of
        row.submitting_until, row.command = None, command
        row.save()
        _tell(row)
        return _read(batch_job_id)


@retrying
def refuse_submission(batch_job_id: int, reason: str) -> BatchJobInfo:
    """Record that the scheduler has certainly not taken a batch job, with its own words."""
    with transaction.atomic():
        row = _locked(batch_job_id)
        if row.status == BatchJobState.PENDING_SUBMISSION:
            row.state = _REFUSED
            finish(row, BatchJobState.SUBMIT_FAILED, BatchJobEnd.FAILED, storable(reason))
        elif row.status == BatchJobState.PENDING_DELETION and not row.scheduler_id:
            finish(row, BatchJobState.FINISHED, BatchJobEnd.CANCELLED, storable(reason))
        row.submitting_until = None
        row.save()
        _tell(row)
        return _read(batch_job_id)


@retrying
def doubt_submission(batch_job_id: int, reason: str) -> BatchJobInfo:
    """Record that nobody knows whether the scheduler has taken a batch job; it goes on being looked for."""
    doubtful = QueuedLaunch.objects.filter(pk=batch_job_id, status=BatchJobState.PENDING_SUBMISSION)
    with transaction.atomic():
        doubtful.update(reason=storable(reason))
        info = _read(batch_job_id)
        _tell(info)
        return info


def require_workflow(workflow: str) -> None:
    """Raise UsageError when no job has a workflow that contains this, as a launcher would match it."""
    if workflow and not BalsamJob.objects.filter(workflow__contains=workflow).exists():
        raise UsageError(
            f"No job has a workflow that contains {workflow!r}: a launcher would have nothing to do. "
            "`balsam ls wf` lists the workflows."
        )


@retrying
def request_batch_job_deletion(batch_job_id: int) -> BatchJobInfo:
    """Record that a user wants a batch job gone; one whose submission was never begun is gone at once."""
    with transaction.atomic():
        row = _locked(batch_job_id)
        if row.status not in BATCH_JOB_END_STATES:
            row.deletion_asked = row.deletion_asked or row.as_of
            if row.status == BatchJobState.PENDING_SUBMISSION and row.submit_began is None:
                finish(
                    row, BatchJobState.FINISHED, BatchJobEnd.CANCELLED, "Cancelled before it was submitted"
                )
            else:
                row.status = BatchJobState.PENDING_DELETION.value
            row.save()
            _tell(row)
        return _read(batch_job_id)


def with_clock() -> "QuerySet[QueuedLaunch]":
    """Return all rows, each with the database's time as ``as_of``."""
    rows: Any = QueuedLaunch.objects
    found: QuerySet[QueuedLaunch] = rows.annotate(as_of=Now())
    return found


def finish(row: QueuedLaunch, status: BatchJobState, end: BatchJobEnd, reason: str) -> None:
    """End a row in memory, now by the database's clock."""
    row.status, row.end = status.value, end.value
    row.ended = row.as_of
    row.reason, row.missing_since = reason, None


def _end_former(taken: QueuedLaunch, scheduler_id: str) -> None:
    former = with_clock().filter(
        ~Q(status__in=BATCH_JOB_END_STATES),
        site=taken.site_id,
        scheduler=taken.scheduler,
        scheduler_id=scheduler_id,
    )
    for row in former.select_for_update():
        if row.marker is None:
            row.delete()
            continue
        finish(row, BatchJobState.FINISHED, BatchJobEnd.VANISHED, "The scheduler has used its number again")
        row.save()


def _locked(batch_job_id: int) -> QueuedLaunch:
    row = with_clock().select_for_update().filter(pk=batch_job_id).first()
    if row is None:
        raise NotFoundError(f"There is no batch job {batch_job_id}. `balsam ls queues` lists them.")
    return row


def _tell(changed: QueuedLaunch | BatchJobInfo) -> None:
    notices.notify([(notices.BATCH, changed.site_id)])


def _read(batch_job_id: int) -> BatchJobInfo:
    return _info(with_clock().get(pk=batch_job_id))


def _info(row: QueuedLaunch) -> BatchJobInfo:
    return BatchJobInfo(
        batch_job_id=row.pk,
        marker=row.marker or "",
        scheduler=row.scheduler,
        scheduler_id=row.scheduler_id,
        state=BatchJobState(row.status),
        native_state=row.state,
        project=row.project,
        queue=row.queue,
        num_nodes=row.nodes,
        wall_time_min=row.wall_minutes,
        job_mode=row.job_mode,
        workflow=row.wf_filter,
        sched_flags=row.sched_flags,
        optional_params=row.optional_params,
        site_id=row.site_id or FIRST_SITE,
        filter_tags=row.filter_tags,
        partitions=row.partitions,
        from_balsam=row.from_balsam,
        created=row.created,
        submit_began=row.submit_began,
        submitting_until=row.submitting_until,
        submitted=row.submitted,
        started=row.started,
        ended=row.ended,
        end=None if row.end is None else BatchJobEnd(row.end),
        missing_since=row.missing_since,
        reason=row.reason,
        command=row.command,
        as_of=row.as_of,
    )

"""Submit a batch job exactly once, whatever dies in between.

The intent is committed first. One process at a time may submit it, while its lease lasts by the database's
clock; one that comes after another looks for the marker first. An answer that cannot be read is unknown: the
batch job is looked for until a complete listing, long enough afterwards, does not show it.
"""

import time
from pathlib import Path

from balsam.batch.desk import Desk
from balsam.batch.requests import checked, flag_words
from balsam.batch.searching import find_by_marker
from balsam.batch.templates import render_script
from balsam.exceptions import BalsamError, NotFoundError, UsageError
from balsam.lib.atomic import write_atomically
from balsam.lib.commands import TIMEOUT_SEC
from balsam.platform.scheduler import SubmitRequest
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobRequest
from balsam.states import BatchJobState

__all__ = ["LEASE_SEC", "submit", "submit_request"]

#: Of a submission: twice what the command may take, and something for a machine that is slow.
LEASE_SEC = 2 * TIMEOUT_SEC + 30.0


def submit_request(desk: Desk, request: BatchJobRequest) -> BatchJobInfo:
    """Check a request, commit it, submit it, and return it as the scheduler has taken it.

    Raises UsageError for a bad request or template, with nothing left behind; BalsamError with the words of
    the scheduler when it refuses, or when nobody knows.
    """
    render_script(desk, checked(request))
    info = submit(desk, desk.client.intend_batch_job(request).batch_job_id)
    info = _after_others(desk, info)
    if info.state is BatchJobState.SUBMIT_FAILED:
        raise BalsamError(f"The scheduler ({info.scheduler}) refused the batch job: {info.reason}")
    if info.state is BatchJobState.PENDING_SUBMISSION:
        raise BalsamError(
            f"It is not known whether the scheduler ({info.scheduler}) has taken batch job "
            f"{info.batch_job_id}: {info.reason or 'another process is submitting it'}.\n"
            f"It is looked for by its name, {info.marker}, before it is submitted again; "
            "see `balsam ls queues`."
        )
    return info


def submit(desk: Desk, batch_job_id: int) -> BatchJobInfo:
    """Submit an intended batch job, or find out that it has been; may be called again and again.

    Returns it as it is then: QUEUED; SUBMIT_FAILED with the scheduler's words; or PENDING_SUBMISSION when
    another process is about it or nobody knows, to be tried again later. Raises UsageError when its script
    cannot be rendered; the batch job is refused then.
    """
    info = _info(desk, batch_job_id)
    if info.state is not BatchJobState.PENDING_SUBMISSION or _is_being_submitted(info):
        return info
    if info.submit_began is not None:
        found = find_by_marker(desk, info)
        if found.scheduler_id:
            script = str(desk.script_of(info))
            return desk.client.record_submission(batch_job_id, found.scheduler_id, script)
        if not found.is_absent:
            return info
    return _submit_alone(desk, info, _write_script(desk, info))


def _after_others(desk: Desk, info: BatchJobInfo) -> BatchJobInfo:
    """Wait for another process that submits a batch job, and return it as it is then."""
    if not _is_in_other_hands(info):
        return info
    listener = desk.client.listen()
    try:
        while _is_in_other_hands(info := _info(desk, info.batch_job_id)):
            listener.wait(1.0)
    finally:
        listener.close()
    return info


def _is_in_other_hands(info: BatchJobInfo) -> bool:
    is_pending = info.state is BatchJobState.PENDING_SUBMISSION
    return is_pending and not info.reason and _is_being_submitted(info)


def _is_being_submitted(info: BatchJobInfo) -> bool:
    return info.submitting_until is not None and info.age_sec(info.submitting_until) < 0


def _info(desk: Desk, batch_job_id: int) -> BatchJobInfo:
    found = desk.client.batch_jobs(live_only=False, ids=[batch_job_id])
    if not found:
        raise NotFoundError(f"There is no batch job {batch_job_id}. `balsam ls queues` lists them.")
    return found[0]


def _write_script(desk: Desk, info: BatchJobInfo) -> Path:
    """Write the script of a batch job; one that cannot be written refuses it, unless it may be submitted."""
    path = desk.script_of(info)
    try:
        text = render_script(desk, checked(_request(info)))
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomically(path, text, mode=0o700)
    except (UsageError, OSError) as error:
        if info.submit_began is None:
            desk.client.refuse_submission(info.batch_job_id, str(error))
        if isinstance(error, UsageError):
            raise
        raise BalsamError(f"Cannot write the job script {path}: {error}") from error
    return path


def _submit_alone(desk: Desk, info: BatchJobInfo, script: Path) -> BatchJobInfo:
    began = time.monotonic()
    fence = desk.client.begin_submission(info.batch_job_id, LEASE_SEC, desk.adapter.name)
    is_late = time.monotonic() - began > LEASE_SEC - TIMEOUT_SEC  # it has slept: another may be about it
    if fence is None or fence.submit_began != info.submit_began or is_late:
        return _info(desk, info.batch_job_id)
    submission, words = desk.ask_submit(
        SubmitRequest(
            script=script,
            name=info.marker,
            project=info.project,
            queue=info.queue,
            num_nodes=info.num_nodes,
            wall_time_min=info.wall_time_min,
            cwd=script.parent,
            output=script.with_suffix(""),
            extra_flags=flag_words(info.sched_flags),
        )
    )
    if submission.scheduler_id:
        return desk.client.record_submission(info.batch_job_id, submission.scheduler_id, str(script))
    if submission.refused:
        return desk.client.refuse_submission(info.batch_job_id, submission.refused)
    return _after_unknown(desk, info, script, words)


def _after_unknown(desk: Desk, info: BatchJobInfo, script: Path, words: str) -> BatchJobInfo:
    """Record the doubt, and look at once for the batch job; it may also show up later."""
    info = desk.client.doubt_submission(info.batch_job_id, words)
    found = find_by_marker(desk, info)
    if found.scheduler_id:
        return desk.client.record_submission(info.batch_job_id, found.scheduler_id, str(script))
    return info


def _request(info: BatchJobInfo) -> BatchJobRequest:
    return BatchJobRequest(
        scheduler=info.scheduler,
        project=info.project,
        queue=info.queue,
        num_nodes=info.num_nodes,
        wall_time_min=info.wall_time_min,
        job_mode=info.job_mode,
        workflow=info.workflow,
        sched_flags=info.sched_flags,
        optional_params=info.optional_params,
        site_id=info.site_id,
        filter_tags=info.filter_tags,
        partitions=info.partitions,
    )

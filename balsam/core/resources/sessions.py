"""Sessions of programs that users write: leases by which these take jobs, and tell what becomes of them."""

import json
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from balsam.core import leases, sql, transitions
from balsam.core.models import ApplicationDefinition, BalsamJob, QueuedLaunch, Session
from balsam.core.models.session import SCRIPT
from balsam.core.owners import own_sites
from balsam.core.resources.faces import FACES
from balsam.core.sent_requests import once
from balsam.exceptions import InvalidStateError, NotFoundError, RefusedError, UsageError
from balsam.schemas.acquisition import AcquireRequest
from balsam.schemas.fields import Record
from balsam.schemas.jobs import JobReport, Step
from balsam.schemas.sessions import SessionRequest
from balsam.states import JobState as S

__all__ = ["acquire", "close", "is_of_a_run", "open_for", "report_run", "require_holder", "tick"]

#: States that only who runs a job can tell.
_OF_A_RUN = (S.RUNNING, S.RUN_DONE, S.RUN_ERROR, S.RUN_TIMEOUT)
#: A program may be anywhere: its process is never looked for.
_HOST = "script"


def open_for(site_id: int, batch_job_id: int | None) -> Session:
    """Open a session at a site; raises NotFoundError for a batch job that is not the site's, or has ended."""
    with transaction.atomic():
        if batch_job_id is not None:
            batch_job = QueuedLaunch.objects.filter(pk=batch_job_id, site_id=site_id, ended=None).first()
            if batch_job is None:
                raise NotFoundError(f"The site has no batch job {batch_job_id}, or it has ended.")
        request = SessionRequest(
            kind=SCRIPT, site_id=site_id, host=_HOST, boot_id="", pid=0, start_time=0.0, label="balsam.api"
        )
        session_id = leases.open_session(request).session_id
        Session.objects.filter(pk=session_id).update(batch_job_id=batch_job_id)
        return Session.objects.get(pk=session_id)


def acquire(
    caller: int | None, session_id: int, request: AcquireRequest, request_key: str = ""
) -> list[Record]:
    """Take jobs for a session, and renew its lease; return them, best first. Raises NotFoundError.

    A request with the key of one that was carried out has the same reply.
    """
    tick(caller, session_id)
    taken: list[Record] = once(caller, request_key, lambda: _acquire(session_id, request))
    return taken


def _acquire(session_id: int, request: AcquireRequest) -> list[Record]:
    apps = ApplicationDefinition.objects.filter(pk__in=request.app_ids).values_list("name", flat=True)
    sort = request.sort_by or ("small_first" if request.max_aggregate_nodes is not None else "")
    rows = sql.fetch(
        "acquire_for_session",
        session_id=session_id,
        limit=request.max_num_jobs,
        states=list(request.states),
        any_app=not request.app_ids,
        apps=list(apps),
        tags=json.dumps({str(key): str(value) for key, value in request.filter_tags.items()}),
        max_wall_time_min=request.max_wall_time_min or None,
        max_nodes=request.max_nodes_per_job,
        max_aggregate=request.max_aggregate_nodes,
        serial_only=request.serial_only,
        sort=sort,
    )
    found = BalsamJob.objects.in_bulk([job_id for (job_id,) in rows])
    return FACES["job"].to_records([found[job_id] for (job_id,) in rows if job_id in found])


def tick(caller: int | None, session_id: int) -> None:
    """Renew the lease of a session; raises NotFoundError for one that has ended, or is not the caller's."""
    is_theirs = Session.objects.filter(pk=session_id, site__in=own_sites(caller), kind=SCRIPT).exists()
    if not is_theirs or not sql.run("heartbeat", session_id=session_id, lease_sec=leases.LEASE_SEC):
        raise NotFoundError(f"There is no session {session_id}, or it has ended: make a new one.")


def close(rows: Sequence[Session]) -> int:
    """End sessions; what runs in those of programs has run out of time. Returns how many were open."""
    for session in rows:
        if session.kind == SCRIPT:
            running = BalsamJob.objects.filter(session_id=session.pk, state=S.RUNNING.value)
            step = Step(S.RUN_TIMEOUT, message="The session that ran it was deleted")
            reports = [JobReport(job_id=str(job.pk), attempt=job.attempt, steps=(step,)) for job in running]
            transitions.report(session.pk, reports)
        leases.close(session.pk, "deleted by its owner")
    return len(rows)


def is_of_a_run(job: BalsamJob, state: str) -> bool:
    """Say whether a state of a job is told by the program that runs it."""
    return (
        state in _OF_A_RUN
        and job.session_id is not None
        and Session.objects.filter(pk=job.session_id, kind=SCRIPT).exists()
    )


def require_holder(job: BalsamJob, session_id: int) -> None:
    """Raise RefusedError unless a session holds a job still."""
    if job.session_id != session_id:
        raise RefusedError(
            f"Job {job.number} is not held by session {session_id} any more: it is {job.state}, and others "
            "may run it. What this session did with it comes too late."
        )


def report_run(job: BalsamJob, state: str, data: dict[str, Any]) -> None:
    """Move a job as the program says that runs it; raises InvalidStateError, UsageError."""
    code = data.get("returncode", job.return_code)
    if code is not None and not isinstance(code, int):
        raise UsageError(f"returncode is {code!r}, which is no whole number.")
    message = str(data.get("message") or data.get("error") or "")
    attempt = job.attempt if job.state == S.RUNNING else job.attempt + 1
    steps = (Step(S(state), message=message),)
    report = JobReport(job_id=str(job.pk), attempt=attempt, steps=steps, return_code=code)
    if transitions.report(job.session_id or 0, [report]).late:
        raise InvalidStateError(f"Job {job.number} is {job.state}, and cannot become {state} now.")

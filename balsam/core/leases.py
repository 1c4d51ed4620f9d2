"""Sessions: who holds jobs, for how long, and what becomes of the jobs of one that is gone.

Only the database clock decides when a lease has ended. An owner on this host that is dead is recognised at
once.
"""

import json
from collections.abc import Sequence

from django.db import transaction

from balsam.core import sql, transitions
from balsam.core.active import database_id
from balsam.core.models import Session
from balsam.core.retrying import retrying
from balsam.exceptions import LeaseLostError
from balsam.schemas.sessions import SessionInfo, SessionRequest

#: A lease lasts this long without a heartbeat.
LEASE_SEC = 180.0


@retrying
def open_session(request: SessionRequest) -> SessionInfo:
    """Open a session for a process."""
    row = sql.fetch(
        "open_session",
        kind=request.kind,
        site_id=request.site_id,
        label=request.label,
        scheduler_id=request.scheduler_id,
        host=request.host,
        boot_id=request.boot_id,
        pid=request.pid,
        start_time=request.start_time,
        about=json.dumps(dict(request.about)),
        lease_sec=LEASE_SEC,
    )[0]
    return _info(row)


@retrying
def heartbeat(session_id: int) -> None:
    """Renew a lease; raises LeaseLostError when the session has ended or was taken over."""
    if not sql.run("heartbeat", session_id=session_id, lease_sec=LEASE_SEC):
        raise LeaseLostError(
            f"Session {session_id} has ended: its lease ran out, or another process took it over."
        )


def live_sessions(sites: Sequence[int] | None = None) -> list[SessionInfo]:
    """Return the sessions at these sites (None: all) that have not ended.

    ``expires_sec`` is negative for those whose lease is over.
    """
    return [_info(row) for row in sql.fetch("live_sessions", sites=None if sites is None else list(sites))]


@retrying
def has_ended(session_id: int) -> bool:
    """Say whether a session was closed or taken over."""
    return not sql.fetch("open_sessions", ids=[session_id])


@retrying
def close(session_id: int, reason: str = "closed") -> int:
    """End a session and free what it holds; return how many jobs that were. Ending it twice is harmless."""
    return _end(session_id, reason)


def close_with_batch_jobs(batch_job_ids: Sequence[int]) -> None:
    """End the sessions that users' programs have opened for batch jobs which have ended."""
    for session in Session.objects.filter(batch_job_id__in=batch_job_ids, ended=None):
        close(session.pk, "its batch job has ended")


def _end(session_id: int, reason: str, *, only_expired: bool = False) -> int:
    with transaction.atomic():
        ended = sql.run("end_session", session_id=session_id, reason=reason, only_expired=only_expired)
        if not ended:
            return 0
        transitions.free_transfers(session_id)
        return transitions.recover(session_id, reason)


@retrying
def reap_expired() -> int:
    """End the sessions whose lease is over by the database clock; return how many jobs were freed."""
    expired = [info for info in live_sessions() if info.expires_sec < 0]
    return sum(_end(info.session_id, _lost_text(info), only_expired=True) for info in expired)


def _lost_text(info: SessionInfo) -> str:
    return f"Lost contact with the {info.kind} on {info.host} (pid {info.pid})"


@retrying
def reconcile(
    session_id: int,
    known: Sequence[str],
    reason: str = "The launcher never learned that it had claimed the job",
) -> int:
    """Free the jobs that a session holds and its owner does not know of (a claim whose reply was lost)."""
    with transaction.atomic():
        return transitions.recover(session_id, reason, keep=known)


def _info(row: tuple[object, ...]) -> SessionInfo:
    session_id, kind, host, boot_id, pid, start_time, expires_sec = row
    return SessionInfo(
        int(str(session_id)),
        str(kind),
        str(host),
        str(boot_id),
        int(str(pid)),
        float(str(start_time)),
        float(str(expires_sec)),
        database_id(),
    )

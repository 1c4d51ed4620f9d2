"""The one door: what may be asked of the core, in one table.

A transport calls an operation by its name. Each returns plain data from `balsam.schemas`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import InterfaceError, OperationalError

from balsam.core import (
    batch_demand,
    batch_jobs,
    batch_observations,
    claims,
    leases,
    resources,
    services,
    transitions,
)
from balsam.core.retrying import is_broken_connection
from balsam.exceptions import DatabaseUnreachable


@dataclass(frozen=True, slots=True)
class Operation:
    """A function of the core, and where a server would offer it."""

    function: Callable[..., Any]
    method: str
    path: str


OPERATIONS: Mapping[str, Operation] = {
    "sessions.open": Operation(leases.open_session, "POST", "/sessions/"),
    "sessions.list": Operation(leases.live_sessions, "GET", "/sessions/"),
    "sessions.heartbeat": Operation(leases.heartbeat, "PUT", "/sessions/{session_id}"),
    "sessions.close": Operation(leases.close, "DELETE", "/sessions/{session_id}"),
    "sessions.reap": Operation(leases.reap_expired, "POST", "/sessions/reap"),
    "sessions.reconcile": Operation(leases.reconcile, "POST", "/sessions/{session_id}/reconcile"),
    "services.open": Operation(services.open_service, "POST", "/service"),
    "services.current": Operation(services.current_service, "GET", "/service"),
    "services.tell": Operation(services.tell_status, "PUT", "/service/{session_id}/status"),
    "services.runs_since": Operation(services.runs_since, "GET", "/service/runs"),
    "jobs.claim": Operation(claims.claim, "POST", "/sessions/{session_id}"),
    "jobs.report": Operation(transitions.report, "PATCH", "/sessions/{session_id}/jobs"),
    "jobs.lost": Operation(claims.lost, "POST", "/sessions/{session_id}/lost"),
    "jobs.outlook": Operation(claims.outlook, "POST", "/jobs/outlook"),
    "steps.claim": Operation(claims.claim_steps, "POST", "/sessions/{session_id}/steps"),
    "steps.report": Operation(transitions.report_steps, "PATCH", "/sessions/{session_id}/steps"),
    "steps.revoked": Operation(claims.revoked_steps, "POST", "/sessions/{session_id}/steps/revoked"),
    "batch_jobs.intend": Operation(batch_jobs.intend_batch_job, "POST", "/batch-jobs/"),
    "batch_jobs.list": Operation(batch_jobs.batch_jobs, "GET", "/batch-jobs/"),
    "batch_jobs.begin": Operation(batch_jobs.begin_submission, "POST", "/batch-jobs/{batch_job_id}/begin"),
    "batch_jobs.record": Operation(batch_jobs.record_submission, "POST", "/batch-jobs/{batch_job_id}/record"),
    "batch_jobs.refuse": Operation(batch_jobs.refuse_submission, "POST", "/batch-jobs/{batch_job_id}/refuse"),
    "batch_jobs.doubt": Operation(batch_jobs.doubt_submission, "POST", "/batch-jobs/{batch_job_id}/doubt"),
    "batch_jobs.observe": Operation(batch_observations.observe_batch_jobs, "PATCH", "/batch-jobs/"),
    "batch_jobs.delete": Operation(
        batch_jobs.request_batch_job_deletion, "DELETE", "/batch-jobs/{batch_job_id}"
    ),
    "batch_jobs.demand": Operation(batch_demand.demand, "POST", "/batch-jobs/demand"),
    "resources.list": Operation(resources.list_page, "GET", "/{resource}/"),
    "resources.count_by": Operation(resources.count_by, "GET", "/{resource}/counts"),
    "resources.create": Operation(resources.create, "POST", "/{resource}/"),
    "resources.update": Operation(resources.update, "PATCH", "/{resource}/"),
    "resources.update_where": Operation(resources.update_where, "PUT", "/{resource}/"),
    "resources.delete_where": Operation(resources.delete_where, "DELETE", "/{resource}/"),
}


def call(name: str, *args: Any, **kwargs: Any) -> Any:
    """Run an operation; KeyError for an unknown one, DatabaseUnreachable when the connection breaks."""
    try:
        return OPERATIONS[name].function(*args, **kwargs)
    except (OperationalError, InterfaceError) as error:
        if not is_broken_connection(error):
            raise
        raise DatabaseUnreachable(f"The connection to the database broke: {error}") from error

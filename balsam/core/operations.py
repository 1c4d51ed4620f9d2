"""The one door: the functions of the core behind the table of operations, and who may call each for others.

A transport calls an operation by its name. Each returns plain data from `balsam.schemas`. A server calls it
for an account, which reaches what belongs to its own sites and nothing else.
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
    explain,
    leases,
    owners,
    resources,
    services,
    transfers,
    transitions,
)
from balsam.core.retrying import is_broken_connection
from balsam.exceptions import DatabaseUnreachable, NotFoundError

__all__ = ["OPERATIONS", "Operation", "call", "call_for"]


@dataclass(frozen=True, slots=True)
class Operation:
    """A function of the core, and how far an account reaches with it.

    ``of``: the argument that must be the account's. ``limits``: more arguments, which leave it its part. Both
    hold where there are both; with neither, it is for the owner of the database alone.
    """

    function: Callable[..., Any]
    of: tuple[str, owners.Check] | None = None
    limits: Callable[[int | None], Mapping[str, Any]] | None = None


_BY_SESSION = ("session_id", owners.check_session)
_BY_BATCH_JOB = ("batch_job_id", owners.check_batch_job)
_BY_REQUEST = ("request", owners.check_request)
_BY_SITE = ("site_id", owners.check_site)

OPERATIONS: Mapping[str, Operation] = {
    "sessions.open": Operation(leases.open_session, _BY_REQUEST),
    "sessions.list": Operation(leases.live_sessions, limits=owners.only_sites),
    "sessions.heartbeat": Operation(leases.heartbeat, _BY_SESSION),
    "sessions.close": Operation(leases.close, _BY_SESSION),
    "sessions.reap": Operation(leases.reap_expired, limits=lambda owner: {}),
    "sessions.reconcile": Operation(leases.reconcile, _BY_SESSION),
    "services.open": Operation(services.open_service, _BY_REQUEST),
    "services.current": Operation(services.current_service, _BY_SITE),
    "services.tell": Operation(services.tell_status, _BY_SESSION),
    "services.runs_since": Operation(services.runs_since),
    "jobs.claim": Operation(claims.claim, _BY_REQUEST),
    "jobs.report": Operation(transitions.report, _BY_SESSION),
    "jobs.lost": Operation(claims.lost, _BY_SESSION),
    "jobs.outlook": Operation(claims.outlook, _BY_REQUEST),
    "steps.claim": Operation(claims.claim_steps, _BY_REQUEST),
    "steps.report": Operation(transitions.report_steps, _BY_SESSION),
    "steps.revoked": Operation(claims.revoked_steps, _BY_SESSION),
    "transfers.claim": Operation(transfers.claim_transfers, _BY_REQUEST),
    "transfers.report": Operation(transitions.report_transfers, _BY_SESSION),
    "batch_jobs.intend": Operation(batch_jobs.intend_batch_job, _BY_REQUEST),
    "batch_jobs.list": Operation(batch_jobs.batch_jobs, limits=owners.only_sites),
    "batch_jobs.begin": Operation(batch_jobs.begin_submission, _BY_BATCH_JOB),
    "batch_jobs.record": Operation(batch_jobs.record_submission, _BY_BATCH_JOB),
    "batch_jobs.refuse": Operation(batch_jobs.refuse_submission, _BY_BATCH_JOB),
    "batch_jobs.doubt": Operation(batch_jobs.doubt_submission, _BY_BATCH_JOB),
    "batch_jobs.observe": Operation(batch_observations.observe_batch_jobs, _BY_SITE, owners.only_sites),
    "batch_jobs.delete": Operation(batch_jobs.request_batch_job_deletion, _BY_BATCH_JOB),
    "batch_jobs.demand": Operation(batch_demand.demand, _BY_REQUEST),
    "resources.list": Operation(resources.list_page),
    "resources.count_by": Operation(resources.count_by),
    "resources.create": Operation(resources.create),
    "resources.update": Operation(resources.update),
    "resources.update_where": Operation(resources.update_where),
    "resources.delete_where": Operation(resources.delete_where),
    "resources.acquire": Operation(resources.acquire),
    "resources.tick": Operation(resources.tick),
    "resources.explain_job": Operation(explain.explanation),
}


def call(name: str, *args: Any, **kwargs: Any) -> Any:
    """Run an operation for the owner of the database.

    Raises KeyError for an unknown one, DatabaseUnreachable when the connection breaks.
    """
    try:
        return OPERATIONS[name].function(*args, **kwargs)
    except (OperationalError, InterfaceError) as error:
        if not is_broken_connection(error):
            raise
        raise DatabaseUnreachable(f"The connection to the database broke: {error}") from error


def call_for(account: int, name: str, arguments: Mapping[str, Any]) -> Any:
    """Run an operation for an account; raises NotFoundError for what is not the account's."""
    operation = OPERATIONS[name]
    if operation.of is None and operation.limits is None:
        raise NotFoundError(f"{name} is for the owner of the database alone.")
    if operation.of is not None:
        argument, check = operation.of
        check(account, arguments[argument])
    limits = {} if operation.limits is None else operation.limits(account)
    return call(name, **arguments, **limits)

"""What may be asked of the core, in one table: each operation, what it takes, and what it answers.

The in-process client, the HTTP client and the routes of the server are derived from it; a test holds the
functions of the core against it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from balsam.schemas.batch_jobs import (
    BatchJobInfo,
    BatchJobObservation,
    BatchJobRequest,
    Demand,
    DemandRequest,
    ObservationReply,
)
from balsam.schemas.jobs import JobReport, JobSpec, StepResult, StepSpec
from balsam.schemas.services import RunsSince, ServiceInfo
from balsam.schemas.sessions import (
    ClaimRequest,
    Outlook,
    OutlookRequest,
    ReportReply,
    SessionInfo,
    SessionRequest,
    StepClaimRequest,
)
from balsam.schemas.transfers import TransferClaim, TransferClaimRequest, TransferResult

__all__ = ["OPERATIONS", "Argument", "Signature"]

#: Name and type of an argument, and its default where it may be left out.
Argument = tuple[str, Any] | tuple[str, Any, Any]


@dataclass(frozen=True, slots=True)
class Signature:
    """What an operation takes, in order, and what it answers."""

    arguments: tuple[Argument, ...] = ()
    reply: Any = None
    #: It makes something: a request that is sent again is to make nothing twice.
    makes: bool = False

    def named(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of a call by their names."""
        return {
            **{argument[0]: value for argument, value in zip(self.arguments, args, strict=False)},
            **kwargs,
        }


_SESSION = ("session_id", int)
_BATCH_JOB = ("batch_job_id", int)
_REASON = ("reason", str)
_IDS = ("job_ids", Sequence[str])

#: Those on resources (`balsam.schemas.resources`) have routes of their own, and are not here.
OPERATIONS: Mapping[str, Signature] = {
    "sessions.open": Signature((("request", SessionRequest),), SessionInfo, makes=True),
    "sessions.list": Signature((), list[SessionInfo]),
    "sessions.heartbeat": Signature((_SESSION,)),
    "sessions.close": Signature((_SESSION, _REASON), int),
    "sessions.reap": Signature((), int),
    "sessions.reconcile": Signature((_SESSION, ("known", Sequence[str])), int),
    "services.open": Signature((("request", SessionRequest),), SessionInfo),
    "services.current": Signature((("site_id", int),), ServiceInfo | None),
    "services.tell": Signature((_SESSION, ("status", Mapping[str, Any]))),
    "services.runs_since": Signature((("event", int), ("launchers_from", datetime)), RunsSince),
    "jobs.claim": Signature((("request", ClaimRequest),), list[JobSpec]),
    "jobs.report": Signature((_SESSION, ("reports", Sequence[JobReport])), ReportReply),
    "jobs.lost": Signature((_SESSION, _IDS), list[str]),
    "jobs.outlook": Signature((("request", OutlookRequest),), Outlook),
    "steps.claim": Signature((("request", StepClaimRequest),), list[StepSpec]),
    "steps.report": Signature((_SESSION, ("results", Sequence[StepResult])), ReportReply),
    "steps.revoked": Signature((_SESSION, _IDS), list[str]),
    "transfers.claim": Signature((("request", TransferClaimRequest),), TransferClaim),
    "transfers.report": Signature((_SESSION, ("results", Sequence[TransferResult])), ReportReply),
    "batch_jobs.intend": Signature((("request", BatchJobRequest),), BatchJobInfo, makes=True),
    "batch_jobs.list": Signature((("live_only", bool, True), ("ids", Sequence[int], ())), list[BatchJobInfo]),
    "batch_jobs.begin": Signature(
        (_BATCH_JOB, ("lease_sec", float), ("scheduler", str, "")), BatchJobInfo | None
    ),
    "batch_jobs.record": Signature((_BATCH_JOB, ("scheduler_id", str), ("command", str)), BatchJobInfo),
    "batch_jobs.refuse": Signature((_BATCH_JOB, _REASON), BatchJobInfo),
    "batch_jobs.doubt": Signature((_BATCH_JOB, _REASON), BatchJobInfo),
    "batch_jobs.observe": Signature(
        (("observations", Sequence[BatchJobObservation]), ("site_id", int, 1)), ObservationReply
    ),
    "batch_jobs.delete": Signature((_BATCH_JOB,), BatchJobInfo),
    "batch_jobs.demand": Signature((("request", DemandRequest),), list[Demand]),
}

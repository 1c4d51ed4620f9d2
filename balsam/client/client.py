"""Typed calls to the core, over any transport."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from balsam.client.resource_client import ResourceClient
from balsam.client.transport import InProcess, Listener, Transport
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


class Client(ResourceClient):
    """What launchers, agents and processing components ask of the core.

    Every call may raise DatabaseUnreachable; those that name a session may raise LeaseLostError.
    """

    def __init__(self, transport: Transport | None = None) -> None:
        self.transport = transport or InProcess()

    def listen(self) -> Listener:
        """Open a stream of notices."""
        return self.transport.listen()

    def open_session(self, request: SessionRequest) -> SessionInfo:
        """Open a session for a process."""
        reply: SessionInfo = self.transport.call("sessions.open", request)
        return reply

    def live_sessions(self) -> list[SessionInfo]:
        """Return the sessions that have not ended."""
        reply: list[SessionInfo] = self.transport.call("sessions.list")
        return reply

    def heartbeat(self, session_id: int) -> None:
        """Renew a lease."""
        self.transport.call("sessions.heartbeat", session_id)

    def close_session(self, session_id: int, reason: str) -> int:
        """End a session and free what it holds; return how many jobs that were."""
        reply: int = self.transport.call("sessions.close", session_id, reason)
        return reply

    def reap_expired(self) -> int:
        """End the sessions whose lease is over; return how many jobs were freed."""
        reply: int = self.transport.call("sessions.reap")
        return reply

    def reconcile(self, session_id: int, known: Sequence[str]) -> int:
        """Free the jobs the session holds and its owner does not know of."""
        reply: int = self.transport.call("sessions.reconcile", session_id, known)
        return reply

    def claim(self, request: ClaimRequest) -> list[JobSpec]:
        """Claim runnable jobs, best first."""
        reply: list[JobSpec] = self.transport.call("jobs.claim", request)
        return reply

    def report(self, session_id: int, reports: Sequence[JobReport]) -> ReportReply:
        """Report what became of claimed jobs; may be repeated when the reply was lost."""
        reply: ReportReply = self.transport.call("jobs.report", session_id, reports)
        return reply

    def lost(self, session_id: int, job_ids: Sequence[str]) -> list[str]:
        """Return those of these jobs that the session no longer holds."""
        reply: list[str] = self.transport.call("jobs.lost", session_id, job_ids)
        return reply

    def outlook(self, request: OutlookRequest) -> Outlook:
        """Count what is left to do for a launcher with these bounds."""
        reply: Outlook = self.transport.call("jobs.outlook", request)
        return reply

    def claim_steps(self, request: StepClaimRequest) -> list[StepSpec]:
        """Claim jobs whose next step is a hook or staging."""
        reply: list[StepSpec] = self.transport.call("steps.claim", request)
        return reply

    def report_steps(self, session_id: int, results: Sequence[StepResult]) -> ReportReply:
        """Report what hooks and staging did."""
        reply: ReportReply = self.transport.call("steps.report", session_id, results)
        return reply

    def revoked_steps(self, session_id: int, job_ids: Sequence[str]) -> list[str]:
        """Return those of these jobs whose hook or staging is to end: killed, deleted, or taken over."""
        reply: list[str] = self.transport.call("steps.revoked", session_id, job_ids)
        return reply

    def claim_transfers(self, request: TransferClaimRequest) -> TransferClaim:
        """Claim transfers that are to be done now."""
        reply: TransferClaim = self.transport.call("transfers.claim", request)
        return reply

    def report_transfers(self, session_id: int, results: Sequence[TransferResult]) -> ReportReply:
        """Report what became of transfers; jobs whose last one is done go on."""
        reply: ReportReply = self.transport.call("transfers.report", session_id, results)
        return reply

    def intend_batch_job(self, request: BatchJobRequest) -> BatchJobInfo:
        """Commit the intent to have a batch job."""
        reply: BatchJobInfo = self.transport.call("batch_jobs.intend", request)
        return reply

    def batch_jobs(self, *, live_only: bool = True, ids: Sequence[int] = ()) -> list[BatchJobInfo]:
        """Return batch jobs in order of creation; ``ids`` none: all of them."""
        reply: list[BatchJobInfo] = self.transport.call("batch_jobs.list", live_only=live_only, ids=ids)
        return reply

    def begin_submission(
        self, batch_job_id: int, lease_sec: float, scheduler: str = ""
    ) -> BatchJobInfo | None:
        """Let this process alone submit a batch job; None when another does, or it needs none any more.

        The reply shows when a submission was begun before this one. ``scheduler`` is for a batch job that was
        asked for without one.
        """
        reply: BatchJobInfo | None = self.transport.call(
            "batch_jobs.begin", batch_job_id, lease_sec, scheduler
        )
        return reply

    def record_submission(self, batch_job_id: int, scheduler_id: str, command: str) -> BatchJobInfo:
        """Record that the scheduler has taken a batch job, which runs the script ``command``."""
        reply: BatchJobInfo = self.transport.call("batch_jobs.record", batch_job_id, scheduler_id, command)
        return reply

    def refuse_submission(self, batch_job_id: int, reason: str) -> BatchJobInfo:
        """Record that the scheduler has certainly not taken a batch job."""
        reply: BatchJobInfo = self.transport.call("batch_jobs.refuse", batch_job_id, reason)
        return reply

    def doubt_submission(self, batch_job_id: int, reason: str) -> BatchJobInfo:
        """Record that nobody knows whether the scheduler has taken a batch job, with its words."""
        reply: BatchJobInfo = self.transport.call("batch_jobs.doubt", batch_job_id, reason)
        return reply

    def observe_batch_jobs(
        self, observations: Sequence[BatchJobObservation], site_id: int = 1
    ) -> ObservationReply:
        """Record what the scheduler of a site says of batch jobs; see `balsam.core.batch_observations`."""
        reply: ObservationReply = self.transport.call("batch_jobs.observe", observations, site_id)
        return reply

    def request_batch_job_deletion(self, batch_job_id: int) -> BatchJobInfo:
        """Record that a batch job is to be cancelled; one that was never submitted is, at once."""
        reply: BatchJobInfo = self.transport.call("batch_jobs.delete", batch_job_id)
        return reply

    def demand(self, request: DemandRequest) -> list[Demand]:
        """Return the shapes of the jobs that wait for a launcher, or may soon."""
        reply: list[Demand] = self.transport.call("batch_jobs.demand", request)
        return reply

    def open_service(self, request: SessionRequest) -> SessionInfo:
        """Open the session of a service; raises ConflictError when another process has it."""
        reply: SessionInfo = self.transport.call("services.open", request)
        return reply

    def current_service(self, site_id: int = 1) -> ServiceInfo | None:
        """Return the service of a site, the first being the database directory; None if there is none."""
        reply: ServiceInfo | None = self.transport.call("services.current", site_id)
        return reply

    def tell_status(self, session_id: int, status: Mapping[str, Any]) -> None:
        """Store what a process says of itself."""
        self.transport.call("services.tell", session_id, status)

    def runs_since(self, event: int, launchers_from: datetime) -> RunsSince:
        """Say whether a launcher that came after ``launchers_from`` has started a job since ``event``."""
        reply: RunsSince = self.transport.call("services.runs_since", event, launchers_from)
        return reply

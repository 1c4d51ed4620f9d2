"""Read the facts for an explanation from the tables, at one moment of the database's clock."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from balsam.core.explain.facts import (
    BatchJobFacts,
    EventFacts,
    Facts,
    JobFacts,
    ParentFacts,
    ProcessFacts,
    SiteFacts,
    TransferFacts,
)
from balsam.core.explain.runnable import MAX_READY
from balsam.core.models import (
    ApplicationDefinition,
    BalsamJob,
    JobDependency,
    JobEvent,
    QueuedLaunch,
    Session,
    Site,
    TransferItem,
)
from balsam.core.models.session import SERVICE
from balsam.core.models.site import FIRST_SITE
from balsam.lib.processes import ProcessIdentity, is_alive
from balsam.schemas.jobs import output_name
from balsam.states import (
    BATCH_JOB_END_STATES,
    RUNNABLE_STATES,
    BatchJobState,
    JobState,
    TransferState,
)

__all__ = ["gather", "job_needs", "site_facts"]

#: Of a job's history; what matters is at its end.
_EVENTS = 20
_PARENTS = 50
_TRANSFERS = 5
#: State of a job -> which transfers it waits for; one that has failed may have done so for any.
_DIRECTIONS = {JobState.READY: "in", JobState.POSTPROCESSED: "out"}
_BATCH_JOBS = 20
#: What `balsam.core.transitions` notes when a launcher cannot place a job.
_GIVEN_BACK = "given_back"
_OUTPUT_AT_SITES = "job.out"


def gather(job_id: uuid.UUID) -> Facts:
    """Return the facts about a job; raises DoesNotExist when it is gone."""
    job = BalsamJob.objects.select_related("session").get(pk=job_id)
    rows: Any = Site.objects.filter(pk=job.site_id or FIRST_SITE)
    sites: QuerySet[Site] = rows.annotate(as_of=Now())
    site = sites.get()
    now: datetime = site.as_of
    events = list(JobEvent.objects.filter(job_id=job.pk).order_by("-id")[:_EVENTS])[::-1]
    app = ApplicationDefinition.objects.filter(name=job.application).only("name", "cleanup_files").first()
    sessions = list(Session.objects.filter(site_id=site.pk, ended=None).order_by("id"))
    hosts = Session.objects.filter(site_id=site.pk).order_by("-id").values_list("host", flat=True)
    running = _running(sessions)
    processes = [_process(session, now, running) for session in sessions]
    live, last = _batch_jobs(site.pk, now)
    return Facts(
        job=_job(job, events, now),
        site=site_facts(site),
        has_app=app is not None,
        app_name=job.application,
        cleans=app is not None and bool(app.cleanup_files),
        is_to_be_cleaned=job.pending_file_cleanup,
        parents=_parents(job),
        num_parents=JobDependency.objects.filter(child_id=job.pk).count(),
        transfers=_transfers(job),
        holder=_process(job.session, now, running) if job.session is not None else None,
        agent=next((process for process in processes if process.is_agent), None),
        host=hosts.first() or "",
        launchers=tuple(process for process in processes if not process.is_agent),
        batch_jobs=live,
        last_batch_job=last,
        events=tuple(
            EventFacts(
                state=JobState(event.to_state),
                message=event.message,
                cause=event.cause,
                age_sec=_age(event.timestamp, now),
            )
            for event in events
        ),
        given_back=_given_back(events),
        num_ready=_num_ready(job),
    )


def _transfers(job: BalsamJob) -> tuple[TransferFacts, ...]:
    rows = TransferItem.objects.filter(job_id=job.pk)
    if job.state == JobState.FAILED:
        rows = rows.filter(state=TransferState.ERROR)
    else:
        direction = _DIRECTIONS.get(JobState(job.state))
        rows = rows.filter(direction=direction).exclude(state=TransferState.DONE)
    return tuple(
        TransferFacts(
            number=row.pk,
            place=f"{row.location_alias}:{row.remote_path}" if row.location_alias else row.remote_path,
            state=TransferState(row.state),
            failures=row.failures,
            message=str(row.transfer_info.get("message", "")),
            needs_you=bool(row.transfer_info.get("needs_you")),
        )
        for row in rows.order_by("pk")[:_TRANSFERS]
    )


def _age(when: datetime | None, now: datetime) -> float:
    return 0.0 if when is None else max(0.0, (now - when).total_seconds())


def job_needs(job: BalsamJob) -> JobFacts:
    """Return what a job is and asks for, without its history."""
    return JobFacts(
        number=0,
        name=job.workdir or job.name or str(job.pk)[:8],
        state=JobState(job.state),
        num_nodes=job.num_nodes,
        ranks_per_node=job.ranks_per_node,
        gpus_per_rank=job.gpus_per_rank,
        memory_mb=job.memory_mb_per_node,
        wall_time_min=job.wall_time_minutes,
        tags=job.tags,
        workflow=job.workflow,
    )


def _job(job: BalsamJob, events: Sequence[JobEvent], now: datetime) -> JobFacts:
    entered = next((e.timestamp for e in reversed(events) if e.from_state != e.to_state), job.created)
    file = _OUTPUT_AT_SITES if job.workdir else output_name(job.name)
    return replace(
        job_needs(job),
        number=job.number,
        job_id=str(job.pk),
        in_state_sec=_age(entered, now),
        return_code=job.return_code,
        attempt=job.attempt,
        holds_for_failed_parent=job.on_parent_failure == "hold",
        output=f"{job.working_directory}/{file}",
    )


def site_facts(site: Site) -> SiteFacts:
    """Return what is known of a site."""
    return SiteFacts(
        number=site.pk,
        name=site.name,
        path=site.path,
        is_first=site.pk == FIRST_SITE,
        queues=site.allowed_queues,
        projects=tuple(site.allowed_projects),
        node=site.node_shape,
    )


def _parents(job: BalsamJob) -> tuple[ParentFacts, ...]:
    """Return parents that have not finished, those that have failed first."""
    if job.state not in (JobState.CREATED, JobState.AWAITING_PARENTS, JobState.FAILED):
        return ()
    edges = JobDependency.objects.filter(child_id=job.pk).exclude(parent__state=JobState.JOB_FINISHED)
    rows = edges.order_by("parent__number").values_list(
        "parent__number",
        "parent__name",
        "parent__workdir",
        "parent__state",
        "parent__site_id",
        "parent__site__name",
    )
    found = [
        ParentFacts(
            number=number,
            name=workdir or name,
            state=JobState(state),
            site="" if site_id == job.site_id else site_name,
        )
        for number, name, workdir, state, site_id, site_name in rows[:_PARENTS]
    ]
    ended = (JobState.FAILED, JobState.USER_KILLED)
    return tuple(sorted(found, key=lambda parent: (parent.state not in ended, parent.number)))


def _process(session: Session, now: datetime, running: dict[int, int]) -> ProcessFacts:
    identity = ProcessIdentity(session.host, session.boot_id, session.pid, session.start_time)
    return ProcessFacts(
        session_id=session.pk,
        host=session.host,
        pid=session.pid,
        is_agent=session.kind == SERVICE,
        silent_sec=_age(session.heartbeat, now),
        lease_sec=(session.expires - now).total_seconds(),
        is_dead=session.ended is not None or is_alive(identity) is False,
        age_sec=_age(session.created, now),
        scheduler_id=session.scheduler_id,
        about=session.status,
        running=running.get(session.pk, 0),
    )


def _running(sessions: Sequence[Session]) -> dict[int, int]:
    held = BalsamJob.objects.filter(session__in=[s.pk for s in sessions], state=JobState.RUNNING)
    return dict(held.order_by().values_list("session_id").annotate(Count("pk")))


def _batch_jobs(site_id: int, now: datetime) -> tuple[tuple[BatchJobFacts, ...], BatchJobFacts | None]:
    """Return the batch jobs that have not ended, and the last that has."""
    rows = QueuedLaunch.objects.filter(site_id=site_id, from_balsam=True)
    live = rows.exclude(status__in=BATCH_JOB_END_STATES).exclude(marker=None).order_by("id")
    last = rows.filter(status__in=BATCH_JOB_END_STATES).order_by("-id").first()
    found = tuple(_batch_job(row, now) for row in live[:_BATCH_JOBS])
    return found, None if last is None else _batch_job(last, now)


def _batch_job(row: QueuedLaunch, now: datetime) -> BatchJobFacts:
    return BatchJobFacts(
        number=row.pk,
        scheduler_id=row.scheduler_id,
        state=BatchJobState(row.status),
        queue=row.queue,
        num_nodes=row.nodes,
        wall_time_min=row.wall_minutes,
        job_mode=row.job_mode,
        workflow=row.wf_filter,
        tags=row.filter_tags,
        partitions=tuple(row.partitions or ()),
        reason=row.reason,
        age_sec=_age(row.ended or row.started or row.submitted or row.created, now),
        end=row.end or "",
    )


def _given_back(events: Sequence[JobEvent]) -> dict[int, str]:
    """Return what launchers said that found they can never place the job, since it last moved."""
    found: dict[int, str] = {}
    for event in events:
        if event.from_state != event.to_state:
            found.clear()
        elif event.cause == _GIVEN_BACK and event.message and event.session_id is not None:
            found[event.session_id] = event.message
    return found


def _num_ready(job: BalsamJob) -> int:
    """Count the other jobs of the site that are ready to run, up to a bound."""
    if job.state not in RUNNABLE_STATES:
        return 0
    ready: Any = BalsamJob.objects.filter(
        Q(site_id=job.site_id, state__in=RUNNABLE_STATES, session=None) & ~Q(pk=job.pk)
    )
    return int(ready.order_by()[:MAX_READY].count())

"""Make jobs and take them through their life, in the place of users and launchers."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

from balsam.core import claims, leases, transitions
from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.lib.processes import this_process
from balsam.schemas.jobs import JobReport, JobSpec, Step
from balsam.schemas.sessions import ClaimRequest, ReportReply, SessionRequest
from balsam.states import JobState as S


def add_app(name: str = "true", executable: str = "/bin/true", **fields: Any) -> ApplicationDefinition:
    """Define an application, or return the one of that name."""
    return ApplicationDefinition.objects.get_or_create(
        name=name, defaults={"executable": executable, **fields}
    )[0]


def add_job(*parents: BalsamJob, application: str = "true", **fields: Any) -> BalsamJob:
    """Save a job of the application `true` that waits for ``parents``."""
    add_app()
    job = BalsamJob(application=application, **fields)
    job.set_parents(parents)
    job.save()
    return job


def add_jobs(count: int, **fields: Any) -> list[BalsamJob]:
    """Save many jobs."""
    add_app()
    fields = {"application": "true", **fields}
    return BalsamJob.objects.bulk_create(BalsamJob(name=f"job{i}", **fields) for i in range(count))


def state_of(job: BalsamJob) -> str:
    """Return a job's state as the database has it."""
    return BalsamJob.objects.values_list("state", flat=True).get(pk=job.pk)


def open_session(kind: str = "launcher") -> int:
    """Open a session for this process."""
    me = this_process()
    request = SessionRequest(
        kind=kind, host=me.host, boot_id=me.boot_id, pid=me.pid, start_time=me.start_time
    )
    return leases.open_session(request).session_id


def claim(session_id: int, limit: int = 100, **bounds: Any) -> list[JobSpec]:
    """Claim runnable jobs of any size."""
    return claims.claim(ClaimRequest(session_id=session_id, limit=limit, **{"max_nodes": 1000, **bounds}))


def report(session_id: int, specs: Sequence[JobSpec], *states: S, code: int | None = None) -> ReportReply:
    """Report that jobs entered states, one after the other."""
    reports = [
        JobReport(
            job_id=spec.job_id,
            attempt=spec.attempt,
            steps=tuple(Step(state) for state in states),
            return_code=code,
        )
        for spec in specs
    ]
    return transitions.report(session_id, reports)


def finish(session_id: int, specs: Sequence[JobSpec]) -> ReportReply:
    """Report that jobs ran and exited with 0."""
    return report(session_id, specs, S.RUNNING, S.RUN_DONE, code=0)


def run_all(session_id: int | None = None) -> None:
    """Run every runnable job, and those that become runnable, to a good end."""
    session = session_id or open_session()
    while specs := claim(session):
        finish(session, specs)


def history(job: BalsamJob) -> list[str]:
    """Return the states in a job's history, in order, notes left out."""
    return [S.CREATED.value] + [
        event.to_state for event in job.events() if event.from_state != event.to_state
    ]


def messages(job: BalsamJob) -> str:
    """Return all messages of a job's history."""
    return "\n".join(event.message for event in job.events())


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """Run actions at the same time, each with a connection of its own; return results or exceptions."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait(timeout=30)
            return action()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        futures = [pool.submit(run, action) for action in actions]
    return [future.exception() or future.result() for future in futures]

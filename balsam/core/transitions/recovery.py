"""Free what a session held, and send jobs through a hook that has come up."""

import uuid
from collections.abc import Iterable

from django.db import transaction

from balsam.core import sql
from balsam.core.retrying import retrying
from balsam.core.transitions.batch import Batch
from balsam.states import JobState as S


def recover(session_id: int, reason: str, *, keep: Iterable[str] = ()) -> int:
    """Free the jobs a session holds, but those in ``keep``; started ones go to RESTART_READY with the reason.

    Returns how many were freed. Runs in the caller's transaction.
    """
    kept = {uuid.UUID(job_id) for job_id in keep}
    held = {uuid.UUID(str(job_id)) for (job_id,) in sql.fetch("held_jobs", session_id=session_id)}
    batch = Batch.lock(held - kept)
    freed = [row for row in batch.rows.values() if row.held_by == session_id]
    for row in freed:
        if row.state is S.RUNNING:
            batch.enter(row, S.RESTART_READY, reason, cause="lost_owner")
        else:
            batch.free(row)
    batch.write()
    return len(freed)


@retrying
def require_preprocess(application: str) -> None:
    """Send jobs of an application that has got a preprocess hook, and have not started yet, through it."""
    with transaction.atomic():
        waiting = sql.fetch("unstarted_jobs", application=application)
        batch = Batch.lock(uuid.UUID(str(job_id)) for (job_id,) in waiting)
        for row in batch.rows.values():
            if row.state is S.PREPROCESSED and row.held_by is None:
                batch.enter(row, S.STAGED_IN, "The application has got a preprocess hook")
        batch.write()

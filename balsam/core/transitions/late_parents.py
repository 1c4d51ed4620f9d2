"""Jobs that get a parent when somebody has taken them already: which can still wait for it.

A script adds two jobs and then the edge between them; a launcher that runs may take the child in between.
"""

import os
import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Now

from balsam.core.models.event import JobEvent
from balsam.core.transitions.batch import Batch, Row
from balsam.states import END_STATES
from balsam.states import JobState as S

#: A job that was started no longer ago is stopped, and starts over after its parent.
YOUNG_RUN = timedelta(seconds=10)
#: What a job is in before it is started, or after it was reset to run from the beginning.
UNSTARTED = (S.READY, S.STAGED_IN, S.PREPROCESSED)


def can_wait(rows: Iterable[Row]) -> set[uuid.UUID]:
    """Return which of these locked jobs are held, and can be taken away from their holder to wait.

    Never the job that this process belongs to: it would be ended by its own doing.
    """
    own = os.environ.get("BALSAM_JOB_ID")
    held = [
        row
        for row in rows
        if row.held_by is not None and row.facts.wait_for_parents and str(row.job_id) != own
    ]
    unstarted = {row.job_id for row in held if row.state in UNSTARTED and not row.hook_moved}
    return unstarted | _just_started([row.job_id for row in held if row.state is S.RUNNING])


def _just_started(job_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    if not job_ids:
        return set()
    starts = JobEvent.objects.filter(job_id__in=job_ids, to_state=S.RUNNING, timestamp__gt=Now() - YOUNG_RUN)
    return set(starts.exclude(from_state=F("to_state")).values_list("job_id", flat=True))


def call_back(batch: Batch, row: Row) -> None:
    """Plan that a held job whose parents have been counted waits for those that have not finished."""
    if row.facts.pending_parents > 0:
        message = "It got a parent just after its start, and starts over when that has finished"
        batch.enter(row, S.AWAITING_PARENTS, message if row.state is S.RUNNING else "", cause="user")
        batch.settle(row)


def is_too_late(row: Row) -> bool:
    """Say whether a job that is neither waiting nor able to would have to wait for a new parent."""
    return row.facts.wait_for_parents and row.state not in END_STATES


def note_late(parents: Mapping[uuid.UUID, str]) -> None:
    """Write into the histories of children, given with a parent's label, that they do not wait for it."""
    batch = Batch.lock(parents)
    for row in batch.rows.values():
        batch.note(row, f"Parent {parents[row.job_id]} was added after the start, and is not waited for")
    batch.write()

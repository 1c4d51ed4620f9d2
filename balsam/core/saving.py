"""Save jobs: a new one whole, an old one by the columns that changed, and never more than was asked."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import DataError, IntegrityError, models, transaction
from django.db.models.functions import Now

from balsam.core import columns, inserting, transitions
from balsam.core.models.job import CORE_COLUMNS, BalsamJob
from balsam.core.models.job_behaviour import STANDING
from balsam.core.models.query import JobQuerySet
from balsam.exceptions import NotFoundError, UsageError
from balsam.states import JobState

#: Columns that decide where a job stands while it does not run.
_STEERING = frozenset(
    (
        *("application", "stage_in_url", "stage_out_url", "stage_out_files", "input_files"),
        *("wait_for_parents", "on_parent_failure"),
    )
)


def save(job: BalsamJob, wanted: Iterable[str] | None = None) -> None:
    """Insert a job, or write its changed columns, or those of them that are ``wanted``.

    Raises UsageError for impossible values, InvalidStateError when a state was assigned and the job has moved
    on since it was read, NotFoundError when it has been deleted.
    """
    changed = job.changed_columns()
    if job._state.adding or "job_id" in changed:
        job.job_id = job.job_id or uuid.uuid4()
        inserting.insert([job])
        return
    if wanted is not None:
        changed &= {job._meta.get_field(name).attname for name in wanted}
    if names := changed - CORE_COLUMNS:
        _write(job, names)
    if "state" in changed:
        transitions.compare_and_set(job, JobState(job.original("state")), job.state)
        job.refresh_from_db(fields=STANDING)
    elif not _STEERING.isdisjoint(names):
        transitions.replan([job.job_id], names)
        job.refresh_from_db(fields=STANDING)


def _write(job: BalsamJob, names: set[str]) -> None:
    columns.clean_job(job, names)
    values = {name: job.__dict__[name] for name in names}
    if not _update(BalsamJob.objects.filter(pk=job.pk), values):
        raise NotFoundError(f"Job {job.cute_id} is no longer in the database; somebody has deleted it.")
    job.remember_columns(names)


def update(jobs: JobQuerySet, values: Mapping[str, Any]) -> int:
    """Change columns of all jobs of a query; return how many jobs there were, or were moved to a state.

    Raises UsageError for impossible values and for columns that only the core writes.
    """
    given = {jobs.model._meta.get_field(name).attname: value for name, value in values.items()}
    state = given.pop("state", None)
    if hasattr(state, "resolve_expression"):
        raise UsageError(
            "A state cannot be computed by a query. Use BalsamJob.batch_update_state(jobs, state)."
        )
    if kept := CORE_COLUMNS.intersection(given):
        raise UsageError(f"{', '.join(sorted(kept))} is kept by Balsam itself and cannot be set.")
    cleaned = {name: _cleaned(jobs, name, value) for name, value in given.items()}
    if state is None and _STEERING.isdisjoint(cleaned):
        return _update(jobs, cleaned)
    with transaction.atomic():
        ids = jobs.job_ids()
        count = _update(BalsamJob.objects.filter(pk__in=ids), cleaned) if cleaned else 0
        if state is not None:
            return max(count, len(transitions.set_state(ids, state, "Set by a query")))
        transitions.replan(ids, cleaned)
    return count


def _cleaned(jobs: JobQuerySet, name: str, value: Any) -> Any:
    if hasattr(value, "resolve_expression"):
        return value
    return columns.clean(jobs.model._meta.get_field(name), getattr(value, "pk", value), "the jobs")


def _update(jobs: JobQuerySet, values: Mapping[str, Any]) -> int:
    try:
        return models.QuerySet.update(jobs, **values, last_update=Now())
    except (DataError, IntegrityError) as error:
        raise UsageError(f"{', '.join(values)} cannot be set so: {str(error).splitlines()[0]}") from error

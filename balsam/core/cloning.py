"""New jobs made after old ones: clones, children, whole workflows. Nothing is saved half."""

import copy
import uuid
from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from django.db import transaction

from balsam.core import inserting, transitions
from balsam.core.models import BalsamJob, JobDependency
from balsam.core.models.job import CORE_COLUMNS
from balsam.core.models.query import JobQuerySet
from balsam.core.models.tracking import refuse_unknown
from balsam.core.retrying import retrying_conflicts
from balsam.exceptions import ConflictError, NotFoundError, UsageError

Fields = Mapping[str, Any]

#: Columns a clone does not take over.
_OWN_COLUMNS = CORE_COLUMNS | {"job_id", "user_workdir"}


def clone(job: BalsamJob, fields: Fields) -> BalsamJob:
    """Return a new job, not saved, like ``job`` but for ``fields``; its parents are the same.

    Raises UnknownFieldError for a name that is no field.
    """
    refuse_unknown(BalsamJob, fields)
    names = [field.attname for field in BalsamJob._meta.concrete_fields if field.attname not in _OWN_COLUMNS]
    columns = {name: copy.deepcopy(getattr(job, name)) for name in names}
    new = BalsamJob(**columns)
    if "parents" not in fields:
        new.set_parents(job.get_parents_by_id())
    for name, value in fields.items():
        setattr(new, name, value)
    return new


@retrying_conflicts
def spawn_child(parent: BalsamJob, fields: Fields, *, is_clone: bool) -> BalsamJob:
    """Save and return a child of ``parent``, which waits for it and for its parents.

    A child that is no clone takes over nothing but the workflow and the batch job, and waits for ``parent``.
    """
    refuse_unknown(BalsamJob, fields)
    given = {"workflow": parent.workflow, "queued_launch_id": parent.queued_launch_id, **fields}
    given.setdefault("parents", [*(parent.get_parents_by_id() if is_clone else ()), parent.job_id])
    child = clone(parent, given) if is_clone else BalsamJob(**given)
    with transaction.atomic():
        inserting.insert([child])
        transitions.annotate(child.job_id, f"Spawned by {parent.cute_id}")
    return child


def clone_workflow(source: str, target: str, overrides: Mapping[str, Fields]) -> JobQuerySet:
    """Copy all jobs of a workflow, with the edges among them, into a new one; return the new jobs.

    ``overrides`` are fields by the name of the job. Raises NotFoundError for an empty source, ConflictError
    when the target has jobs, UsageError for names that are not unique or not there.
    """
    jobs = list(BalsamJob.objects.filter(workflow=source).order_by("number"))
    _check_workflows(source, target, [job.name for job in jobs], overrides)
    ids = {job.job_id: uuid.uuid4() for job in jobs}
    parents: dict[uuid.UUID, list[uuid.UUID]] = {job.job_id: [] for job in jobs}
    edges = JobDependency.objects.filter(child_id__in=list(ids)).order_by("parent__number")
    for parent, child in edges.values_list("parent_id", "child_id"):
        parents[child].append(ids.get(parent, parent))
    inserting.insert([_copy(job, ids, parents, target, overrides.get(job.name, {})) for job in jobs])
    return BalsamJob.objects.filter(workflow=target)


def _copy(
    job: BalsamJob,
    ids: Mapping[uuid.UUID, uuid.UUID],
    parents: Mapping[uuid.UUID, list[uuid.UUID]],
    workflow: str,
    fields: Fields,
) -> BalsamJob:
    new = clone(job, {"parents": parents[job.job_id], **fields})
    new.job_id = ids[job.job_id]
    new.workflow = workflow
    return new


def _check_workflows(source: str, target: str, names: list[str], overrides: Mapping[str, Fields]) -> None:
    if not names:
        raise NotFoundError(f"No jobs in the workflow {source!r}. `balsam ls wf` lists the workflows.")
    if BalsamJob.objects.filter(workflow=target).exists():
        raise ConflictError(f"The workflow {target!r} has jobs already. Choose another name for the copy.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(f"Several jobs of {source!r} are named {twice[0]!r}; a template needs unique names.")
    for name in overrides:
        if name not in names:
            near = get_close_matches(name, names, n=3)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Jobs: {', '.join(sorted(names)[:20])}."
            raise UsageError(f"The workflow {source!r} has no job named {name!r}. {hint}")

"""Edges of the job graph: unique, between existing jobs, and never a cycle."""

import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from balsam.core import sql, transitions
from balsam.core.models.dependency import JobDependency
from balsam.core.retrying import retrying
from balsam.exceptions import CycleError, InvalidParentsError

if TYPE_CHECKING:
    from balsam.core.models.job import BalsamJob

#: Only one transaction at a time adds edges between existing jobs: two could close a cycle together.
_EDGE_LOCK = 0x62616C73


def job_id_of(item: Any) -> uuid.UUID:
    """Return the id of a job, an id, its text, or a queryset of one job; raises InvalidParentsError."""
    if hasattr(item, "job_id"):
        return uuid.UUID(str(item.job_id))
    if hasattr(item, "job_ids"):
        ids = item.job_ids()
        if len(ids) != 1:
            raise InvalidParentsError(f"A query for one job matches {len(ids)} jobs.")
        return uuid.UUID(str(ids[0]))
    try:
        return uuid.UUID(str(item))
    except ValueError:
        raise InvalidParentsError(f"{item!r} is neither a job nor the id of one.") from None


@retrying
def add_edges(edges: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> int:
    """Add (parent, child) edges between existing jobs, all or none; return how many were new.

    Raises InvalidParentsError for an unknown job and CycleError when a child would come before its parent.
    """
    with transaction.atomic():
        _lock_edges()
        _require_known({job_id for edge in edges for job_id in edge})
        made = JobDependency.objects.bulk_create(
            (JobDependency(parent_id=parent, child_id=child) for parent, child in _without_existing(edges))
        )
        _refuse_cycle(edges)
        transitions.re_evaluate({child for _, child in edges})
    return len(made)


def _without_existing(edges: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> list[tuple[uuid.UUID, uuid.UUID]]:
    children = {child for _, child in edges}
    present = set(JobDependency.objects.filter(child_id__in=children).values_list("parent_id", "child_id"))
    for parent, child in edges:
        if parent == child:
            raise CycleError(f"Job {parent} cannot depend on itself.")
    return [edge for edge in dict.fromkeys(edges) if edge not in present]


@retrying
def set_parents(job: "BalsamJob", parents: Iterable[Any]) -> None:
    """Replace a job's parents; raises InvalidParentsError or CycleError and then changes nothing."""
    ids = list(dict.fromkeys(job_id_of(item) for item in parents))
    if job._state.adding:
        job._new_parents = tuple(ids)
        return
    with transaction.atomic():
        JobDependency.objects.filter(child_id=job.job_id).exclude(parent_id__in=ids).delete()
        add_edges([(parent, job.job_id) for parent in ids])
        transitions.re_evaluate([job.job_id])
    job._reload_state()


def _lock_edges() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_EDGE_LOCK])


def _require_known(ids: set[uuid.UUID]) -> None:
    from balsam.core.models.job import BalsamJob

    known = set(BalsamJob.objects.filter(pk__in=ids).job_ids())
    if missing := ids - known:
        raise InvalidParentsError(f"No such job: {', '.join(sorted(map(str, missing)))}.")


def _refuse_cycle(edges: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> None:
    """Raise CycleError if an ancestor of a new edge's parent is the edge's child."""
    pairs = sql.fetch("closed_cycles", parents=[str(p) for p, _ in edges], children=[str(c) for _, c in edges])
    if pairs:
        parent, child = pairs[0]
        raise CycleError(
            f"Job {child} cannot depend on {parent}: {parent} depends on {child} already, and neither could ever run."
        )

"""Edges of the job graph: unique, between existing jobs, and never a cycle."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError as Knot
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from django.db import transaction

from balsam.core import sql, transitions
from balsam.core.copying import copy_edges
from balsam.core.models.dependency import JobDependency
from balsam.core.retrying import retrying
from balsam.exceptions import CycleError, DuplicateEdgeError, InvalidParentsError
from balsam.states import JobState

if TYPE_CHECKING:
    from balsam.core.models.job import BalsamJob

Edge = tuple[uuid.UUID, uuid.UUID]


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
def add_edges(edges: Sequence[Edge]) -> int:
    """Add (parent, child) edges between existing jobs, all or none; return how many were new.

    Raises InvalidParentsError for an unknown job and CycleError when a child would come before its parent.
    """
    with transaction.atomic():
        transitions.lock_families()
        made = _insert_missing(edges)
        waits: dict[uuid.UUID, list[JobState]] = defaultdict(list)
        for (_, child), state in made.items():
            waits[child].append(state)
        _note_late(transitions.add_waits(waits), made)
    return len(made)


def _note_late(late: Iterable[uuid.UUID], made: Mapping[Edge, JobState]) -> None:
    """Let the histories of children that cannot wait any more say for which new parent they do not."""
    parents = {child: parent for (parent, child), state in made.items() if state != JobState.JOB_FINISHED}
    of_child = {child: parents[child] for child in late if child in parents}
    if of_child:
        from balsam.core.models.job import BalsamJob

        labels = {job.pk: job.cute_id for job in BalsamJob.objects.filter(pk__in=of_child.values())}
        transitions.note_late({child: labels[parent] for child, parent in of_child.items()})


def _insert_missing(edges: Sequence[Edge]) -> dict[Edge, JobState]:
    """Insert those edges that are not there yet; return them with the states of their parents, now locked."""
    for parent, child in edges:
        if parent == child:
            raise CycleError(f"Job {parent} cannot depend on itself.")
    children = {child for _, child in edges}
    states = transitions.lock_against_end({parent for parent, _ in edges})
    _require_known({job_id for edge in edges for job_id in edge} - states.keys())
    present = set(JobDependency.objects.filter(child_id__in=children).values_list("parent_id", "child_id"))
    missing = [edge for edge in dict.fromkeys(edges) if edge not in present]
    copy_edges(missing)
    _refuse_cycle(missing)
    return {(parent, child): states[parent] for parent, child in missing}


def add_dependency(parent: Any, child: Any) -> None:
    """Let one job wait for another; both may be given as `job_id_of` takes them.

    Raises DuplicateEdgeError when it does already, InvalidParentsError for an unknown job, CycleError.
    """
    edge = job_id_of(parent), job_id_of(child)
    if not add_edges([edge]):
        raise DuplicateEdgeError(f"Job {edge[1]} depends on {edge[0]} already; nothing was changed.")
    if hasattr(child, "_reload_state"):
        child._reload_state()


def is_in_cycle(job_id: uuid.UUID) -> bool:
    """Say whether a job is above itself."""
    above = sql.fetch("edges_above", parents=[str(job_id)], children=[str(job_id)])
    return any(uuid.UUID(str(parent)) == job_id for parent, _ in above)


@retrying
def set_parents(job: "BalsamJob", parents: Iterable[Any]) -> None:
    """Replace a job's parents; raises InvalidParentsError or CycleError and then changes nothing."""
    ids = list(dict.fromkeys(job_id_of(item) for item in parents))
    if job._state.adding:
        job._new_parents = tuple(ids)
        return
    with transaction.atomic():
        transitions.lock_families()
        transitions.lock_parents([job.job_id])  # a parent that goes must not count this job down meanwhile
        JobDependency.objects.filter(child_id=job.job_id).exclude(parent_id__in=ids).delete()
        made = _insert_missing([(parent, job.job_id) for parent in ids])
        _note_late(transitions.follow_parents([job.job_id]), made)
    job._reload_state()


def _require_known(ids: set[uuid.UUID]) -> None:
    from balsam.core.models.job import BalsamJob

    known = set(BalsamJob.objects.filter(pk__in=ids).job_ids()) if ids else set()
    if missing := ids - known:
        raise InvalidParentsError(f"No such job: {', '.join(sorted(map(str, missing)))}.")


def _refuse_cycle(new: Sequence[Edge]) -> None:
    """Raise CycleError if edges just inserted close a cycle, which then goes through one of their parents."""
    parents_of: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    ids = {"parents": [str(parent) for parent, _ in new], "children": [str(child) for _, child in new]}
    for parent, child in sql.fetch("edges_above", **ids):
        parents_of[uuid.UUID(str(child))].append(uuid.UUID(str(parent)))
    try:
        TopologicalSorter(parents_of).prepare()
    except Knot as knot:
        path = knot.args[1]
        parent, child = next(edge for edge in pairwise(path) if edge in set(new))
        raise CycleError(
            f"Job {child} cannot depend on {parent}: {parent} depends on {child} already, "
            "and neither could ever run."
        ) from None

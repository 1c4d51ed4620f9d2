"""The job graph as trees of lines: every job once, whatever its number of parents, and no endless walk."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from balsam.core import sql
from balsam.core.listings import COUNT_BOUND, JobFilter, count_left_out, find_jobs
from balsam.core.models import BalsamJob, JobDependency

Children = Mapping[uuid.UUID, Sequence[uuid.UUID]]


@dataclass(frozen=True)
class TreeLine:
    """A job in a tree; a root has depth 1."""

    depth: int
    job: BalsamJob


def list_tree(wanted: JobFilter, limit: int) -> tuple[list[TreeLine], int]:
    """Return matching jobs that have no matching parent, each with its descendants below it.

    A job is shown below the first of its parents that is shown. At most ``limit`` lines are read; the second
    value is the number of jobs left out.
    """
    found = find_jobs(wanted)
    inner = JobDependency.objects.filter(parent__in=found.order_by()).values("child_id")
    query = found.exclude(pk__in=inner)
    roots = list(query.values_list("job_id", flat=True)[:limit])
    left_out = count_left_out(query, len(roots), limit)
    ids = descendants(roots, limit + COUNT_BOUND)
    jobs = BalsamJob.objects.only("job_id", "name", "state").in_bulk(ids[:limit])
    places = walk([root for root in roots if root in jobs], children_among(jobs))
    return [TreeLine(depth, jobs[job_id]) for depth, job_id in places], left_out + max(0, len(ids) - limit)


def descendants(roots: Iterable[uuid.UUID], max_rows: int | None = None) -> list[uuid.UUID]:
    """Return the ids of these jobs and of all below them, each once, nearest first."""
    ids = [str(root) for root in roots]
    return [uuid.UUID(str(job_id)) for (job_id,) in sql.fetch("descendants", ids=ids, max_rows=max_rows)]


def children_among(jobs: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[uuid.UUID]]:
    """Return parent -> children, in order of creation, for the edges within these jobs."""
    ids = list(jobs)
    edges = JobDependency.objects.filter(parent_id__in=ids, child_id__in=ids).order_by("child__number")
    children: dict[uuid.UUID, list[uuid.UUID]] = {}
    for parent, child in edges.values_list("parent_id", "child_id"):
        children.setdefault(parent, []).append(child)
    return children


def walk(roots: Sequence[uuid.UUID], children: Children) -> list[tuple[int, uuid.UUID]]:
    """Return (depth, id) of the roots and what is below them, depth first, every job once."""
    seen: set[uuid.UUID] = set()
    lines: list[tuple[int, uuid.UUID]] = []
    stack = [(1, root) for root in reversed(roots)]
    while stack:
        depth, job_id = stack.pop()
        if job_id in seen:
            continue
        seen.add(job_id)
        lines.append((depth, job_id))
        stack += [(depth + 1, child) for child in reversed(children.get(job_id, ()))]
    return lines

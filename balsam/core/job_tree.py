"""The job graph as trees of lines: every job once, whatever its number of parents, and no endless walk."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from balsam.core import sql
from balsam.core.listings import COUNT_BOUND, JobFilter, count_left_out, find_jobs
from balsam.core.models import BalsamJob, JobDependency

#: Roots whose trees are read together, where these are small.
ROOTS_AT_ONCE = 100
Children = Mapping[uuid.UUID, Sequence[uuid.UUID]]


@dataclass(frozen=True)
class TreeLine:
    """A job in a tree; a root has depth 1."""

    depth: int
    job: BalsamJob


def list_tree(wanted: JobFilter, limit: int) -> tuple[list[TreeLine], int]:
    """Return matching jobs that have no matching parent, each with its descendants below it.

    A job is shown below the first of its parents that is shown. At most ``limit`` lines are read; the second
    value is the number of jobs known to be left out.
    """
    found = find_jobs(wanted)
    inner = JobDependency.objects.filter(parent__in=found.order_by()).values("child_id")
    query = found.exclude(pk__in=inner)
    roots = list(query.values_list("job_id", flat=True)[:limit])
    left_out = count_left_out(query, len(roots), limit)
    lines: list[TreeLine] = []
    seen: set[uuid.UUID] = set()
    position, size = 0, ROOTS_AT_ONCE
    while position < len(roots) and len(lines) < limit:
        some = roots[position : position + size]
        ids = descendants(some, limit + len(some))
        is_cut = len(ids) == limit + len(some)
        if is_cut and size > 1:
            size //= 10
            continue
        places = walk(some, children_among(ids), seen)
        shown = places[: limit - len(lines)]
        jobs = BalsamJob.objects.only("job_id", "name", "state").in_bulk([job_id for _, job_id in shown])
        lines += [TreeLine(depth, jobs[job_id]) for depth, job_id in shown if job_id in jobs]
        left_out += (len(descendants(some, COUNT_BOUND)) if is_cut else len(places)) - len(shown)
        position += len(some)
    return lines, left_out + len(roots) - position


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


def walk(roots: Sequence[uuid.UUID], children: Children, seen: set[uuid.UUID]) -> list[tuple[int, uuid.UUID]]:
    """Return (depth, id) of the roots and what is below them, depth first, but for those ``seen`` before."""
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

"""Create, check, find and delete jobs."""

import re
import uuid
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from balsam.core import columns, sql, transitions
from balsam.core.inserting import insert
from balsam.exceptions import AmbiguousError, NotFoundError

if TYPE_CHECKING:
    from balsam.core.models.job import BalsamJob

__all__ = ["check", "delete", "find_one", "insert"]


def check(batch: Iterable["BalsamJob"]) -> None:
    """Raise UsageError for the first job with a value that cannot be."""
    for job in batch:
        columns.clean_job(job, (field.attname for field in job._meta.concrete_fields))


def delete(ids: Iterable[uuid.UUID]) -> int:
    """Delete jobs with their edges and history; return how many.

    Children that wait for a deleted job fail, go on or stay by their ``on_parent_failure``; a running job is
    stopped by its launcher.
    """
    return transitions.delete(list(ids))


def find_one(fragment: str) -> "BalsamJob":
    """Return the one job whose id contains ``fragment``, in either case.

    Raises NotFoundError or AmbiguousError.
    """
    from balsam.core.models import BalsamJob

    found = list(BalsamJob.objects.filter(job_id__in=_ids_like(fragment)).order_by("number")[:3])
    if not found:
        raise NotFoundError(f"No job has an id that contains {fragment!r}. `balsam ls` shows the ids.")
    if len(found) > 1:
        raise AmbiguousError(
            f"Several jobs have an id that contains {fragment!r}: "
            + ", ".join(job.cute_id for job in found)
            + ("…" if len(found) > 2 else "")
            + ". Give more of the id."
        )
    return found[0]


def _ids_like(fragment: str) -> list[uuid.UUID]:
    """Ids that contain a fragment, at most a few."""
    if not re.fullmatch(r"[0-9a-f-]*[0-9a-f][0-9a-f-]*", fragment.lower()):
        return []
    with suppress(ValueError):
        return [uuid.UUID(fragment)]
    return [job_id for (job_id,) in sql.fetch("ids_like", fragment=fragment.lower())]

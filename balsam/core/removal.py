"""Delete jobs and applications: first look at what would go, then delete just that."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from balsam.core import jobs
from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.exceptions import RefusedError, UsageError
from balsam.states import ACTIVE_STATES, END_STATES

#: Jobs deleted in one transaction.
BATCH = 5_000
SAMPLE = 5


@dataclass(frozen=True, kw_only=True)
class Selector:
    """What to delete: part of the name, part of the id, or all; one of the three.

    ``workflow`` (jobs only) narrows each of them to the jobs of exactly that workflow.
    """

    name: str | None = None
    row_id: str | None = None
    is_all: bool = False
    workflow: str | None = None


@dataclass(frozen=True)
class Preview:
    """What would be deleted."""

    count: int
    sample: list[str]
    #: Jobs that run, or unfinished jobs that use the applications.
    in_use: int = 0

    @property
    def names(self) -> str:
        """The sample as text, with ``...`` where there are more."""
        return ", ".join(self.sample) + (", ..." if self.count > len(self.sample) else "")


def select_jobs(selector: Selector) -> "QuerySet[BalsamJob]":
    """Return the jobs a selector means, oldest first.

    Raises NotFoundError or AmbiguousError for an id that is not the id of one.
    """
    found: QuerySet[BalsamJob] = BalsamJob.objects.order_by("number")
    if selector.row_id is not None:
        found = found.filter(pk=jobs.find_one(selector.row_id).pk)
    elif selector.name is not None:
        found = found.filter(name__icontains=selector.name)
    if selector.workflow is not None:
        found = found.filter(workflow=selector.workflow)
    return found


def select_apps(selector: Selector) -> "QuerySet[ApplicationDefinition]":
    """Return the applications a selector means; raises UsageError for a workflow, which they have not."""
    if selector.workflow is not None:
        raise UsageError("Applications belong to no workflow: --wf-filter goes with `balsam rm jobs` only.")
    found = ApplicationDefinition.objects.order_by("pk")
    if selector.row_id is not None:
        from balsam.core.editing import find_app

        found = found.filter(pk=find_app(selector.row_id).pk)
    elif selector.name is not None:
        found = found.filter(name__icontains=selector.name)
    return found


def preview_jobs(found: "QuerySet[BalsamJob]") -> Preview:
    """Count the jobs, name some, and count those that run."""
    running = found.filter(state__in=ACTIVE_STATES).order_by().count()
    return Preview(found.order_by().count(), [job.cute_id for job in found[:SAMPLE]], running)


def preview_apps(found: "QuerySet[ApplicationDefinition]") -> Preview:
    """Count the applications, name some, and count the unfinished jobs that use them."""
    names = list(found.values_list("name", flat=True))
    users = BalsamJob.objects.filter(application__in=names).exclude(state__in=END_STATES).count()
    return Preview(len(names), names[:SAMPLE], users)


def delete_jobs(
    found: "QuerySet[BalsamJob]",
    *,
    even_running: bool,
    on_progress: Callable[[int], Any] = lambda count: None,
) -> int:
    """Delete jobs, some thousands at a time, and return how many; those added meanwhile stay.

    Raises RefusedError, before anything is deleted, if one runs and ``even_running`` is not set; a launcher
    stops a running one that is deleted.
    """
    running = found.filter(state__in=ACTIVE_STATES)
    if not even_running and (count := running.order_by().count()):
        example = ", ".join(job.cute_id for job in running[:SAMPLE])
        raise RefusedError(
            f"Nothing was deleted, since {count} of the jobs run: {example}.\n"
            "Wait for them, stop them with `balsam kill ID`, or pass --force to stop and delete them."
        )
    last = found.order_by("-number").values_list("number", flat=True).first()
    deleted = 0
    while last is not None and (ids := next_ids(found, last)):
        deleted += jobs.delete(ids)
        on_progress(len(ids))
    return deleted


def next_ids(found: "QuerySet[BalsamJob]", last: int) -> list[uuid.UUID]:
    """Return the ids of the oldest jobs up to the number ``last``."""
    return list(found.filter(number__lte=last).values_list("job_id", flat=True)[:BATCH])


def delete_apps(found: "QuerySet[ApplicationDefinition]") -> int:
    """Delete applications and return how many."""
    ids = list(found.values_list("pk", flat=True))
    return ApplicationDefinition.objects.filter(pk__in=ids).delete()[0]

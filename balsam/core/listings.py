"""What listings show: pages of rows, in order of creation, with never more read than is shown.

The limit is part of the query; what is left out is counted, up to a bound, and told.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import FieldError
from django.db.models import Count, Model, QuerySet, TextField
from django.db.models.functions import Cast

from balsam.core.models import (
    ApplicationDefinition,
    BalsamJob,
    JobEvent,
    QueuedLaunch,
    history_line,
)
from balsam.exceptions import InvalidStateError, NotFoundError, UsageError
from balsam.states import BATCH_JOB_END_STATES, STATES, JobState

#: More than this many rows left out are not counted one by one.
COUNT_BOUND = 100_000
JOB_FIELDS = ("job_id", "name", "workflow", "application", "state")
APP_FIELDS = ("pk", "name", "executable", "description")
LAUNCH_FIELDS = (
    "scheduler_id",
    "project",
    "queue",
    "nodes",
    "wall_minutes",
    "state",
    "job_mode",
    "command",
    "from_balsam",
)
#: Of batch jobs, for programs and for the history.
LAUNCH_LIFE_FIELDS = (
    *("id", "status", "end", "reason", "created", "submitted", "started", "ended", "marker", "scheduler"),
)
EVENT_FIELDS = ("job_id", "name", "timestamp", "from_state", "to_state", "attempt", "cause", "message")
#: Not columns, but shown as if they were.
DERIVED_FIELDS = ("parents", "state_history", "tick", "num_ranks", "working_directory", "runtime_seconds")


@dataclass(frozen=True, kw_only=True)
class JobFilter:
    """Which jobs: all conditions hold at once, empty ones always do.

    ``name`` and ``workflow`` are parts of the text in either case, ``job_id`` a part of the id.
    """

    name: str = ""
    job_id: str = ""
    state: str = ""
    workflow: str = ""
    #: ``workflow`` is the whole name.
    is_exact_workflow: bool = False


def count_text(left_out: int) -> str:
    """Return a number of rows left out as text, with a ``+`` where counting stopped."""
    return f"{left_out}+" if left_out >= COUNT_BOUND else str(left_out)


def find_jobs(wanted: JobFilter) -> "QuerySet[BalsamJob]":
    """Return the matching jobs in order of creation.

    Raises InvalidStateError for an unknown state.
    """
    jobs: QuerySet[BalsamJob] = BalsamJob.objects.order_by("number")
    if wanted.name:
        jobs = jobs.filter(name__icontains=wanted.name)
    if wanted.is_exact_workflow:
        jobs = jobs.filter(workflow=wanted.workflow)
    elif wanted.workflow:
        jobs = jobs.filter(workflow__icontains=wanted.workflow)
    if wanted.state:
        jobs = jobs.filter(state=known_state(wanted.state))
    if wanted.job_id:
        jobs = filter_id(jobs, wanted.job_id)
    return jobs


def known_state(text: str) -> str:
    """Return the state of that name, in either case; raises InvalidStateError, with close names."""
    name = text.strip().upper()
    if name not in STATES:
        near = get_close_matches(name, STATES, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"The states are: {', '.join(STATES)}."
        raise InvalidStateError(f"{text!r} is no job state. {hint}")
    return name


def filter_id(jobs: "QuerySet[BalsamJob]", fragment: str) -> "QuerySet[BalsamJob]":
    """Keep the jobs whose id contains ``fragment``; a whole id is looked up at once."""
    try:
        return jobs.filter(job_id=uuid.UUID(fragment))
    except ValueError:
        return jobs.alias(id_text=Cast("job_id", TextField())).filter(id_text__icontains=fragment)


def list_jobs(wanted: JobFilter, extra_fields: Sequence[str], limit: int) -> tuple[list[dict[str, Any]], int]:
    """Return matching jobs with `JOB_FIELDS` and the extra ones, and how many are left out.

    An extra field is a column, a relation path (``queued_launch__scheduler_id``), a key of the data
    (``data__x``) or one of `DERIVED_FIELDS`. Raises UsageError for others.
    """
    jobs = find_jobs(wanted)
    derived = [name for name in extra_fields if name in DERIVED_FIELDS]
    columns = dict.fromkeys((*JOB_FIELDS, *(name for name in extra_fields if name not in derived)))
    try:
        rows: list[dict[str, Any]] = list(jobs.values(*columns)[:limit])
    except FieldError:
        raise unknown_field(jobs, columns) from None
    if derived:
        add_derived(rows, derived)
    return rows, count_left_out(jobs, len(rows), limit)


def unknown_field(jobs: "QuerySet[BalsamJob]", names: Iterable[str]) -> UsageError:
    """Make the error for the first field that is none, with close names."""
    fields = [f.name for f in BalsamJob._meta.concrete_fields] + list(DERIVED_FIELDS)
    for name in names:
        try:
            jobs.values(name)
        except FieldError:
            near = get_close_matches(name, fields, n=3)
            hint = f"Did you mean {' or '.join(near)}?" if near else f"Fields: {', '.join(fields)}."
            return UsageError(f"Jobs have no field {name!r}. {hint}")
    return UsageError(f"Jobs have not all of the fields {', '.join(names)}.")


def add_derived(rows: list[dict[str, Any]], names: Sequence[str]) -> None:
    """Add derived fields to rows that have a ``job_id``."""
    jobs = BalsamJob.objects.select_related("session").in_bulk([row["job_id"] for row in rows])
    for row in rows:
        job = jobs.get(row["job_id"])
        row.update((name, getattr(job, name) if job else None) for name in names)


def count_left_out(query: "QuerySet[Any]", shown: int, limit: int) -> int:
    """Count the rows after the first ``limit``, up to `COUNT_BOUND`; nothing is asked if all are shown."""
    if shown < limit:
        return 0
    return query.order_by()[limit : limit + COUNT_BOUND].count()


def list_whole_jobs(wanted: JobFilter, limit: int) -> tuple[list[BalsamJob], int]:
    """Return matching jobs with all columns, and how many are left out."""
    jobs = find_jobs(wanted)
    shown = list(jobs.select_related("session")[:limit])
    return shown, count_left_out(jobs, len(shown), limit)


def list_history(wanted: JobFilter, limit: int) -> tuple[list[tuple[BalsamJob, list[JobEvent]]], int]:
    """Return matching jobs, each with its events oldest first, and how many jobs are left out."""
    jobs = find_jobs(wanted)
    shown = list(jobs.only("job_id", "name", "created")[:limit])
    events: dict[uuid.UUID, list[JobEvent]] = {job.job_id: [] for job in shown}
    for event in JobEvent.objects.filter(job_id__in=list(events)).order_by("id"):
        events[event.job_id].append(event)
    return [(job, events[job.job_id]) for job in shown], count_left_out(jobs, len(shown), limit)


def history_text(job: BalsamJob, events: Iterable[JobEvent]) -> str:
    """Render the events of a job as its `state_history` does."""
    known = list(events)
    born = (
        ""
        if any(not event.from_state for event in known)
        else history_line(JobState.CREATED, "", job.created)
    )
    return born + "".join(history_line(e.to_state, e.message, e.timestamp) for e in known)


def count_by_state(wanted: JobFilter) -> dict[str, int]:
    """Return state -> number of matching jobs, in the order of a job's life, for the states present."""
    found = find_jobs(wanted).order_by().values_list("state").annotate(Count("pk"))
    counts: dict[str, int] = dict(found)
    return {state: counts[state] for state in JobState if state in counts}


def list_workflows(workflow: str) -> list[dict[str, Any]]:
    """Return the distinct workflows with their number of jobs, by name.

    ``workflow`` names one exactly, or else is part of some. Raises NotFoundError if none matches it.
    """
    counted = BalsamJob.objects.order_by("workflow").values_list("workflow").annotate(Count("pk"))
    rows = [{"workflow": name, "jobs": count} for name, count in counted]
    if not workflow:
        return rows
    exact = [row for row in rows if row["workflow"] == workflow]
    matching = exact or [row for row in rows if workflow.lower() in row["workflow"].lower()]
    if not matching:
        raise NotFoundError(f"No workflow matching {workflow!r}. `balsam ls wf` lists them.")
    return matching


def list_apps(name: str, app_id: str, limit: int) -> tuple[list[ApplicationDefinition], int]:
    """Return applications by name part and by id, in order of creation, and how many are left out.

    Raises UsageError for an id that is no number.
    """
    apps = ApplicationDefinition.objects.order_by("pk")
    if name:
        apps = apps.filter(name__icontains=name)
    if app_id:
        if not app_id.isdecimal():
            raise UsageError(
                f"{app_id!r} is no id of an application; it is a number, as `balsam ls apps` shows."
            )
        apps = apps.filter(pk=int(app_id))
    shown = list(apps[:limit])
    return shown, count_left_out(apps, len(shown), limit)


def list_launches(
    limit: int, *, scheduler_id: str = "", with_ended: bool = True
) -> tuple[list[QueuedLaunch], int]:
    """Return batch jobs whose number contains a text, oldest first, and how many are left out."""
    launches = QueuedLaunch.objects.filter(scheduler_id__contains=scheduler_id).order_by("pk")
    if not with_ended:
        launches = launches.exclude(status__in=BATCH_JOB_END_STATES)
    shown = list(launches[:limit])
    return shown, count_left_out(launches, len(shown), limit)


def row_of(instance: Model, names: Sequence[str] = ()) -> dict[str, Any]:
    """Return columns of an instance (all, unless named) as a row."""
    wanted = names or [f.attname for f in instance._meta.concrete_fields]
    return {name: getattr(instance, name) for name in wanted}


def event_rows(job: BalsamJob, events: Iterable[JobEvent]) -> list[dict[str, Any]]:
    """Return the events of a job as rows of `EVENT_FIELDS`."""
    return [{"name": job.name, **row_of(event, [n for n in EVENT_FIELDS if n != "name"])} for event in events]

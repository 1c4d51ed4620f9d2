"""How each resource lies over its table: rows to records, filters to queries, orders to columns."""

import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

from django.db import models
from django.db.models import Q

from balsam.core import sql
from balsam.core.models import (
    ApplicationDefinition,
    BalsamJob,
    JobDependency,
    JobEvent,
    QueuedLaunch,
    Session,
    Site,
    TransferItem,
)
from balsam.core.models.application import full_name
from balsam.core.models.site import FIRST_SITE
from balsam.core.owners import own_sites
from balsam.core.resources.event_rows import event_records, event_says, events_of, is_settled
from balsam.schemas.fields import Record

__all__ = ["FACES", "Face", "job_record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One resource over its table."""

    model: type[models.Model]
    #: Rows that a caller owns.
    owned: Callable[[int | None], Q]
    to_records: Callable[[Sequence[Any]], list[Record]]
    #: Filter -> the query it means, given the checked value.
    filters: Mapping[str, Callable[[Any], Q]]
    #: Order -> column.
    orders: Mapping[str, str]
    #: Field to count by -> column.
    groups: Mapping[str, str] = field(default_factory=dict)
    #: Field to count by -> what its values in the column are called, where that differs.
    labels: Mapping[str, Callable[[Iterable[Any]], Mapping[Any, int]]] = field(default_factory=dict)


def _sites_of(caller: int | None) -> list[int]:
    """Name the sites of a caller: with their numbers in its hands, the database plans better."""
    return list(own_sites(caller).values_list("pk", flat=True))


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _tags(column: str) -> Callable[[list[str]], Q]:
    def query(pairs: list[str]) -> Q:
        tags = dict(pair.split(":", 1) for pair in pairs)
        # the second condition lets the index serve, which leaves out what has no tags
        return Q(**{f"{column}__contains": tags}) & ~Q(**{column: {}})

    return query


def _is(column: str) -> Callable[[Any], Q]:
    return lambda value: Q(**{column: value})


# -- sites -------------------------------------------------------------------------------------------

_SITE_COLUMNS = (
    *("id", "name", "path", "backfill_windows", "queued_jobs", "optional_batch_job_params"),
    *("allowed_projects", "allowed_queues", "transfer_locations", "node_shape"),
)


def _site_records(rows: Sequence[Site]) -> list[Record]:
    return [
        {
            **{name: getattr(row, name) for name in _SITE_COLUMNS},
            "last_refresh": _time(row.last_refresh),
            "creation_date": _time(row.created),
            "globus_endpoint_id": str(row.globus_endpoint_id) if row.globus_endpoint_id else None,
        }
        for row in rows
    ]


# -- applications ------------------------------------------------------------------------------------

_APP_COLUMNS = (
    *("id", "site_id", "description", "command_template", "parameters", "transfers"),
    *("environment_variables", "cleanup_files", "hooks", "class_path", "serialized_class", "source_code"),
    "version",
)


def _app_records(rows: Sequence[ApplicationDefinition]) -> list[Record]:
    return [{**{name: getattr(row, name) for name in _APP_COLUMNS}, "name": row.short_name} for row in rows]


def _named(name: str) -> Q:
    """Find applications by their short name, at whatever site."""
    sites = Site.objects.exclude(pk=FIRST_SITE).values_list("pk", flat=True)
    return Q(name__in=[name, *(full_name(name, site_id) for site_id in sites)])


def _ids_of_apps(ids: list[int]) -> Q:
    names = ApplicationDefinition.objects.filter(pk__in=ids).values("name")
    return Q(application__in=names)


# -- jobs --------------------------------------------------------------------------------------------

#: Field -> column, where they differ.
JOB_COLUMNS: Mapping[str, str] = {
    "id": "number",
    "wall_time_min": "wall_time_minutes",
    "batch_job_id": "queued_launch_id",
}
_JOB_FIELDS = (
    *("workdir", "tags", "parameters", "serialized_parameters", "data", "return_code", "num_nodes"),
    *("ranks_per_node", "threads_per_rank", "threads_per_core", "launch_params", "gpus_per_rank"),
    *("node_packing_count", "wall_time_min", "priority", "on_parent_failure", "id", "site_id"),
    *("batch_job_id", "state", "pending_file_cleanup", "serialized_return_value", "serialized_exception"),
)
_values_of_job = itemgetter(*(JOB_COLUMNS.get(name, name) for name in _JOB_FIELDS))


def _ids_of_names(names: Iterable[str]) -> dict[str, int]:
    return dict(ApplicationDefinition.objects.filter(name__in=set(names)).values_list("name", "pk"))


def _job_records(rows: Sequence[BalsamJob]) -> list[Record]:
    apps = _ids_of_names(row.application for row in rows)
    parents: dict[Any, list[int]] = {}
    for child, number in sql.fetch("parent_numbers", children=[row.pk for row in rows]):
        parents.setdefault(child, []).append(number)
    return [
        job_record(
            vars(row),
            last_update=row.last_update.isoformat(),
            app_id=apps.get(row.application),
            parent_ids=parents.get(row.pk, []),
        )
        for row in rows
    ]


def job_record(
    columns: Mapping[str, Any], *, last_update: str, app_id: int | None, parent_ids: list[int]
) -> Record:
    """Return the record of a job with these columns."""
    fields = dict(zip(_JOB_FIELDS, _values_of_job(columns), strict=True))
    return {**fields, "last_update": last_update, "app_id": app_id, "parent_ids": parent_ids}


def _id_starts(text: str) -> Q:
    """Find jobs by the beginning of their id, with or without hyphens; what is no id finds none."""
    digits = text.replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{1,32}", digits):
        return Q(pk__in=[])
    return Q(pk__gte=uuid.UUID(digits.ljust(32, "0")), pk__lte=uuid.UUID(digits.ljust(32, "f")))


def _with_parents(numbers: list[int]) -> Q:
    edges = JobDependency.objects.filter(parent__number__in=numbers)
    return Q(pk__in=edges.values("child_id"))


# -- batch jobs --------------------------------------------------------------------------------------


def _batch_job_records(rows: Sequence[QueuedLaunch]) -> list[Record]:
    return [
        {
            "num_nodes": row.nodes,
            "wall_time_min": row.wall_minutes,
            "job_mode": row.job_mode,
            "optional_params": row.optional_params,
            "filter_tags": row.filter_tags,
            "partitions": row.partitions,
            "id": row.pk,
            "site_id": row.site_id,
            "scheduler_id": row.scheduler_id or None,
            "project": row.project,
            "queue": row.queue,
            "state": row.status,
            "status_info": _status_info(row),
            "start_time": _time(row.started),
            "end_time": _time(row.ended),
        }
        for row in rows
    ]


def _status_info(row: QueuedLaunch) -> dict[str, str]:
    known = {
        "submit_script": row.command,
        "submit_time": _time(row.submitted),
        "scheduler_state": row.state,
        "end": row.end,
        "reason": row.reason,
    }
    return {name: value for name, value in known.items() if value}


# -- transfers ----------------------------------------------------------------------------------------

_TRANSFER_COLUMNS = (
    *("id", "slot", "direction", "local_path", "remote_path", "location_alias", "recursive", "state"),
    *("task_id", "transfer_info", "attempts"),
)


def _transfer_records(rows: Sequence[TransferItem]) -> list[Record]:
    jobs = BalsamJob.objects.filter(pk__in={row.job_id for row in rows}).values_list("pk", "number")
    numbers = dict(jobs)
    return [
        {
            **{name: getattr(row, name) for name in _TRANSFER_COLUMNS},
            "job_id": numbers.get(row.job_id),
            "last_update": _time(row.last_update),
        }
        for row in rows
    ]


# -- sessions ----------------------------------------------------------------------------------------


def _session_records(rows: Sequence[Session]) -> list[Record]:
    return [
        {
            "id": row.pk,
            "site_id": row.site_id,
            "batch_job_id": row.batch_job_id,
            "heartbeat": _time(row.heartbeat),
        }
        for row in rows
    ]


FACES: Mapping[str, Face] = {
    "site": Face(
        model=Site,
        owned=lambda caller: Q(pk__in=_sites_of(caller)),
        to_records=_site_records,
        filters={
            "id": _is("pk__in"),
            "name": _is("name"),
            "path": _is("path__contains"),
            "last_refresh_after": _is("last_refresh__gt"),
        },
        orders={"id": "pk", "name": "name", "last_refresh": "last_refresh"},
    ),
    "app": Face(
        model=ApplicationDefinition,
        owned=lambda caller: Q(site_id__in=_sites_of(caller)),
        to_records=_app_records,
        filters={
            "id": _is("pk__in"),
            "site_id": _is("site_id__in"),
            "name": _named,
            "class_path": _is("class_path"),
            "site_name": _is("site__name"),
            "site_path": _is("site__path__contains"),
        },
        orders={"id": "pk", "name": "name", "site_id": "site_id"},
        groups={"site_id": "site_id"},
    ),
    "job": Face(
        model=BalsamJob,
        owned=lambda caller: Q(site_id__in=_sites_of(caller)),
        to_records=_job_records,
        filters={
            "id": _is("number__in"),
            "uuid": _is("pk__in"),
            "uuid__startswith": _id_starts,
            "parent_id": _with_parents,
            "app_id": _ids_of_apps,
            "site_id": _is("site_id__in"),
            "batch_job_id": _is("queued_launch_id__in"),
            "last_update_before": _is("last_update__lt"),
            "last_update_after": _is("last_update__gt"),
            "workdir__contains": _is("workdir__contains"),
            "state": _is("state__in"),
            "state__ne": lambda states: ~Q(state__in=states),
            "tags": _tags("tags"),
            "pending_file_cleanup": _is("pending_file_cleanup"),
        },
        orders={"id": "number", "last_update": "last_update", "state": "state", "workdir": "workdir"},
        groups={
            "state": "state",
            "site_id": "site_id",
            "app_id": "application",
            "batch_job_id": "queued_launch_id",
        },
        labels={"app_id": _ids_of_names},
    ),
    "batch_job": Face(
        model=QueuedLaunch,
        owned=lambda caller: Q(site_id__in=_sites_of(caller), from_balsam=True),
        to_records=_batch_job_records,
        filters={
            "id": _is("pk__in"),
            "site_id": _is("site_id__in"),
            "state": _is("status__in"),
            "scheduler_id": _is("scheduler_id"),
            "queue": _is("queue"),
            "start_time_before": _is("started__lt"),
            "start_time_after": _is("started__gt"),
            "end_time_before": _is("ended__lt"),
            "end_time_after": _is("ended__gt"),
            "filter_tags": _tags("filter_tags"),
        },
        orders={"id": "pk", "start_time": "started"},
        groups={
            "state": "status",
            "site_id": "site_id",
            "queue": "queue",
            "project": "project",
            "job_mode": "job_mode",
        },
    ),
    "transfer": Face(
        model=TransferItem,
        owned=lambda caller: Q(job__site_id__in=_sites_of(caller)),
        to_records=_transfer_records,
        filters={
            "id": _is("pk__in"),
            "site_id": _is("job__site_id__in"),
            "job_id": _is("job__number__in"),
            "state": _is("state__in"),
            "direction": _is("direction"),
            "job_state": _is("job__state"),
            "tags": _tags("job__tags"),
        },
        orders={"id": "pk", "last_update": "last_update"},
        groups={"state": "state", "direction": "direction"},
    ),
    "event": Face(
        model=JobEvent,
        owned=lambda caller: events_of(site_id__in=_sites_of(caller)),
        to_records=event_records,
        filters={
            "id": _is("pk__in"),
            "job_id": lambda numbers: events_of(number__in=numbers),
            "batch_job_id": lambda ids: events_of(queued_launch_id__in=ids),
            "scheduler_id": lambda text: events_of(queued_launch__scheduler_id=text),
            "tags": lambda pairs: Q(job_id__in=BalsamJob.objects.filter(_tags("tags")(pairs)).values("pk")),
            "timestamp_before": _is("timestamp__lt"),
            "timestamp_after": _is("timestamp__gt"),
            "from_state": _is("from_state"),
            "to_state": _is("to_state"),
            "after_id": lambda number: Q(pk__gt=number) & Q(is_settled()),
            "data": event_says,
        },
        orders={"timestamp": "timestamp", "id": "pk"},
        groups={"from_state": "from_state", "to_state": "to_state"},
    ),
    "session": Face(
        model=Session,
        owned=lambda caller: Q(site_id__in=_sites_of(caller), ended=None),
        to_records=_session_records,
        filters={"id": _is("pk__in"), "site_id": _is("site_id__in")},
        orders={"id": "pk"},
    ),
}

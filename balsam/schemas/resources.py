"""The resources of the site generation, in one table: fields, what may be written when, filters and orders.

The Python API, the command line and the server are derived from it; `balsam.schemas.checking` checks against
it. Field names are those on the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from balsam.schemas.fields import Field, Filter, Record, Resource

__all__ = [
    "BALSAM_DIR",
    "PREAMBLE_FILE",
    "RESOURCES",
    "SERIALIZED_LIMIT",
    "DeleteReply",
    "Page",
    "Query",
    "UpdateReply",
]

#: Where, in the working directory of a job, Balsam keeps files of its own.
BALSAM_DIR = ".balsam"
#: The commands that a job's application wants before its own.
PREAMBLE_FILE = f"{BALSAM_DIR}/preamble.sh"
#: Characters of an object that is kept as text.
SERIALIZED_LIMIT = 512_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which objects, in which order: all filters must hold. ``limit`` None: all.

    ``after`` is the `Page.next` of the page before: unlike an offset, it costs the same however far one is.
    ``counted`` False saves the count of them all.
    """

    filters: Mapping[str, Any] = field(default_factory=dict)
    order_by: str = ""
    limit: int | None = None
    offset: int = 0
    after: str = ""
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """Objects, and how many there are without limit, offset and after; None where that was not asked for.

    ``next`` is the `Query.after` of the next page; '' where there are no more.
    """

    count: int | None
    results: list[Record]
    next: str = ""


@dataclass(frozen=True, slots=True)
class UpdateReply:
    """Outcome of changes, item by item: the ids that were changed, and why others were not."""

    changed: tuple[int, ...]
    refused: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class DeleteReply:
    """Outcome of a deletion: how many are gone, and why others are not."""

    deleted: int
    refused: Mapping[int, str] = field(default_factory=dict)


def _read(kind: str) -> Field:
    return Field(kind=kind, create=False, update=False)


def _fixed(kind: str, **rules: Any) -> Field:
    """A field that is given when the object is made, and stays."""
    return Field(kind=kind, update=False, **rules)


def _later(kind: str, **rules: Any) -> Field:
    """A field that is not given when the object is made."""
    return Field(kind=kind, create=False, **rules)


_ID = _read("int")

_SITE = Resource(
    name="site",
    path="/sites/",
    fields={
        "id": _ID,
        "name": Field(kind="text", required=True, max_length=100),
        "path": Field(kind="path", required=True, max_length=512),
        "last_refresh": _read("time"),
        "creation_date": _read("time"),
        "globus_endpoint_id": Field(kind="uuid"),
        "backfill_windows": Field(kind="json", default={}),
        "queued_jobs": Field(kind="json", default={}),
        "optional_batch_job_params": Field(kind="texts", default={}),
        "allowed_projects": Field(kind="list", default=[]),
        "allowed_queues": Field(kind="json", default={}),
        "transfer_locations": Field(kind="texts", default={}),
        "node_shape": Field(kind="json", default={}),
    },
    filters={
        "id": Filter(kind="int", many=True),
        "name": Filter(kind="text"),
        "path": Filter(kind="text"),
        "last_refresh_after": Filter(kind="time"),
    },
    orders=("id", "name", "last_refresh"),
    verbs=frozenset(("create", "update", "delete")),
)

_APP = Resource(
    name="app",
    path="/apps/",
    fields={
        "id": _ID,
        "site_id": _fixed("int", required=True),
        "name": Field(kind="text", required=True, max_length=200),
        "description": Field(kind="text", default=""),
        "command_template": Field(kind="text", default=""),
        "parameters": Field(kind="json", default={}),
        "transfers": Field(kind="json", default={}),
        "environment_variables": Field(kind="texts", default={}),
        "cleanup_files": Field(kind="list", default=[]),
        "hooks": Field(kind="list", default=[]),
        "python_exe": Field(kind="text", default="", read=False),
        "class_path": Field(kind="text", default="", max_length=200),
        "serialized_class": Field(kind="text", default="", max_length=262_144),
        "source_code": Field(kind="text", default=""),
        "version": _read("int"),
    },
    filters={
        "id": Filter(kind="int", many=True),
        "site_id": Filter(kind="int", many=True),
        "name": Filter(kind="text"),
        "class_path": Filter(kind="text"),
        "site_name": Filter(kind="text"),
        "site_path": Filter(kind="text"),
    },
    orders=("id", "name", "site_id"),
    groups=("site_id",),
    verbs=frozenset(("create", "update", "delete")),
)

_JOB = Resource(
    name="job",
    path="/jobs/",
    fields={
        "workdir": Field(kind="path", required=True, max_length=256),
        "tags": Field(kind="texts", default={}),
        "parameters": Field(kind="json", default={}),
        "serialized_parameters": Field(kind="text", default="", max_length=SERIALIZED_LIMIT),
        "data": Field(kind="json", default={}),
        "return_code": Field(kind="int"),
        "num_nodes": Field(kind="int", default=1, minimum=1),
        "ranks_per_node": Field(kind="int", default=1, minimum=1),
        "threads_per_rank": Field(kind="int", default=1, minimum=1),
        "threads_per_core": Field(kind="int", default=1, minimum=1),
        "launch_params": Field(kind="texts", default={}),
        "gpus_per_rank": Field(kind="float", default=0.0, minimum=0),
        "node_packing_count": Field(kind="int", default=1, minimum=1),
        "wall_time_min": Field(kind="int", default=0, minimum=0),
        "priority": Field(kind="int", default=0),
        "on_parent_failure": Field(kind="text", default="fail", choices=("fail", "ignore", "hold")),
        "app_id": _fixed("int", required=True),
        "parent_ids": _fixed("ids", default=[]),
        "transfers": _fixed("json", default={}, read=False),
        "id": _ID,
        "site_id": _read("int"),
        "batch_job_id": _later("int"),
        "last_update": _read("time"),
        "state": _later("state"),
        "state_data": _later("json", read=False),
        # by the clock of who says so: the history has that of the database, and keeps this beside it
        "state_timestamp": _later("time", read=False),
        # of the session that says so: refused when the job is not its own any more
        "session_id": _later("int", read=False),
        "pending_file_cleanup": _later("flag"),
        "serialized_return_value": _later("text", max_length=SERIALIZED_LIMIT),
        "serialized_exception": _later("text", max_length=SERIALIZED_LIMIT),
    },
    filters={
        "id": Filter(kind="int", many=True),
        "uuid": Filter(kind="uuid", many=True),
        "uuid__startswith": Filter(kind="text"),
        "parent_id": Filter(kind="int", many=True),
        "app_id": Filter(kind="int", many=True),
        "site_id": Filter(kind="int", many=True),
        "batch_job_id": Filter(kind="int", many=True),
        "last_update_before": Filter(kind="time"),
        "last_update_after": Filter(kind="time"),
        "workdir__contains": Filter(kind="text"),
        "state": Filter(kind="state", many=True),
        "state__ne": Filter(kind="state", many=True),
        "tags": Filter(kind="tag", many=True),
        "pending_file_cleanup": Filter(kind="flag"),
    },
    orders=("id", "last_update", "state", "workdir"),
    groups=("state", "site_id", "app_id", "batch_job_id"),
    verbs=frozenset(("create", "update", "delete")),
)

_BATCH_JOB = Resource(
    name="batch_job",
    path="/batch-jobs/",
    fields={
        "num_nodes": _fixed("int", required=True, minimum=1),
        "wall_time_min": _fixed("int", required=True, minimum=1),
        "job_mode": _fixed("text", required=True, choices=("mpi", "serial")),
        "optional_params": _fixed("texts", default={}),
        "filter_tags": _fixed("texts", default={}),
        "partitions": _fixed("list"),
        "id": _ID,
        "site_id": _fixed("int", required=True),
        "scheduler_id": _read("text"),
        "project": _fixed("text", required=True, max_length=64),
        "queue": _fixed("text", required=True, max_length=64),
        "state": _later("text"),
        "status_info": _read("json"),
        "start_time": _read("time"),
        "end_time": _read("time"),
    },
    filters={
        "id": Filter(kind="int", many=True),
        "site_id": Filter(kind="int", many=True),
        "state": Filter(kind="text", many=True),
        "scheduler_id": Filter(kind="word"),
        "queue": Filter(kind="text"),
        "start_time_before": Filter(kind="time"),
        "start_time_after": Filter(kind="time"),
        "end_time_before": Filter(kind="time"),
        "end_time_after": Filter(kind="time"),
        "filter_tags": Filter(kind="tag", many=True),
    },
    orders=("id", "start_time"),
    groups=("state", "site_id", "queue", "project", "job_mode"),
    verbs=frozenset(("create", "update")),
)

_TRANSFER = Resource(
    name="transfer",
    path="/transfers/",
    fields={
        "id": _ID,
        "job_id": _read("int"),
        "slot": _read("text"),
        "direction": _read("text"),
        "local_path": _read("text"),
        "remote_path": _read("text"),
        "location_alias": _read("text"),
        "recursive": _read("flag"),
        "state": _later("text"),
        "task_id": _later("text", max_length=100),
        "transfer_info": _later("json"),
        "attempts": _read("int"),
        "last_update": _read("time"),
    },
    filters={
        "id": Filter(kind="int", many=True),
        "site_id": Filter(kind="int", many=True),
        "job_id": Filter(kind="int", many=True),
        "state": Filter(kind="text", many=True),
        "direction": Filter(kind="text"),
        "job_state": Filter(kind="state"),
        "tags": Filter(kind="tag", many=True),
    },
    orders=("id", "last_update"),
    groups=("state", "direction"),
    verbs=frozenset(("update",)),
)

_EVENT = Resource(
    name="event",
    path="/events/",
    fields={
        "id": _ID,
        "job_id": _read("int"),
        "timestamp": _read("time"),
        "from_state": _read("state"),
        "to_state": _read("state"),
        "data": _read("json"),
    },
    filters={
        "id": Filter(kind="int", many=True),
        "job_id": Filter(kind="int", many=True),
        "batch_job_id": Filter(kind="int", many=True),
        "scheduler_id": Filter(kind="word"),
        "tags": Filter(kind="tag", many=True),
        "data": Filter(kind="tag", many=True),
        "timestamp_before": Filter(kind="time"),
        "timestamp_after": Filter(kind="time"),
        "from_state": Filter(kind="state"),
        "to_state": Filter(kind="state"),
        # in the order of their ids, none of which is missed or comes later
        "after_id": Filter(kind="int"),
    },
    orders=("timestamp", "id"),
    order_by="-timestamp",
    groups=("from_state", "to_state"),
)

_SESSION = Resource(
    name="session",
    path="/sessions/",
    fields={
        "id": _ID,
        "site_id": _fixed("int", required=True),
        "batch_job_id": _fixed("int"),
        "heartbeat": _read("time"),
    },
    filters={"id": Filter(kind="int", many=True), "site_id": Filter(kind="int", many=True)},
    orders=("id",),
    verbs=frozenset(("create", "delete")),
)

RESOURCES: Mapping[str, Resource] = {
    resource.name: resource for resource in (_SITE, _APP, _JOB, _BATCH_JOB, _TRANSFER, _EVENT, _SESSION)
}

"""Events as the resource shows them, and the filters that look into them."""

import json
from collections.abc import Sequence
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.expressions import RawSQL

from balsam.core import sql
from balsam.core.models import BalsamJob, JobEvent
from balsam.schemas.fields import Record

__all__ = ["event_records", "event_says", "events_of", "is_settled"]


def event_records(rows: Sequence[JobEvent]) -> list[Record]:
    """Return the records of events."""
    jobs = {
        job.pk: job
        for job in BalsamJob.objects.filter(pk__in={row.job_id for row in rows}).only(
            "number", "num_nodes", "node_packing_count", "return_code"
        )
    }
    return [
        {
            "id": row.pk,
            "job_id": jobs[row.job_id].number if row.job_id in jobs else None,
            "timestamp": row.timestamp.isoformat(),
            "from_state": row.from_state,
            "to_state": row.to_state,
            "data": _event_data(row, jobs.get(row.job_id)),
        }
        for row in rows
    ]


def _event_data(row: JobEvent, job: BalsamJob | None) -> Record:
    data: Record = dict(row.data or {})
    if row.message:
        data.setdefault("error" if row.to_state == "RUN_ERROR" else "message", row.message)
    if job is not None and row.to_state == "RUNNING":
        data.setdefault("num_nodes", job.num_nodes / job.node_packing_count)
    if job is not None and row.to_state == "RUN_ERROR":
        data.setdefault("returncode", job.return_code)
    return data


def is_settled() -> RawSQL:
    """Find events before which no other can come any more, as transactions end in any order."""
    return RawSQL(sql.statement("settled_events"), [], models.BooleanField())


def event_says(pairs: list[str]) -> Q:
    """Find events by ``key:value`` of their data, in which a message is, too."""
    query = Q()
    for key, _, value in (pair.partition(":") for pair in pairs):
        said = Q(message=value) if key in ("message", "error") else Q()
        query &= said | Q(data__contains={key: value}) | Q(data__contains={key: _as_json(value)})
    return query


def _as_json(text: str) -> Any:
    """Read a text as a number or so; itself where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def events_of(**lookups: Any) -> Q:
    """Find the events of jobs."""
    return Q(job_id__in=BalsamJob.objects.filter(**lookups).values("pk"))

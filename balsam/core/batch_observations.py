"""Apply what a scheduler says of batch jobs: every observation in one transaction, with a few statements.

A name that is a marker proves which batch job is meant, at whatever site of the caller's. A number alone does
not, once the scheduler has shown the batch job by its name; and it counts at the site alone that asked, since
the scheduler of another site may use the same.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from balsam.core import leases, notices, sql
from balsam.core.batch_jobs import finish, with_clock
from balsam.core.batch_texts import storable_observation
from balsam.core.models.launch import QueuedLaunch
from balsam.core.models.site import FIRST_SITE, Site
from balsam.core.retrying import retrying
from balsam.schemas.batch_jobs import BatchJobObservation, ObservationReply
from balsam.states import BATCH_JOB_END_STATES, BatchJobEnd, BatchJobState

__all__ = ["observe_batch_jobs"]

B = BatchJobState

#: Ends that were inferred, or after which a scheduler may start the batch job again.
_OPEN_ENDS = (BatchJobEnd.VANISHED, BatchJobEnd.UNKNOWN, BatchJobEnd.PREEMPTED, BatchJobEnd.NODE_FAIL)
_COLUMNS = (
    *("scheduler_id", "queue", "project", "nodes", "wall_minutes", "state", "seen_by_name", "status"),
    *("submitted", "started", "ended", "missing_since", "end", "reason"),
)


@retrying
def observe_batch_jobs(
    observations: Sequence[BatchJobObservation],
    site_id: int = FIRST_SITE,
    sites: Sequence[int] | None = None,
) -> ObservationReply:
    """Record what the scheduler of a site says; states follow one another only as `BatchJobState` allows.

    Names are those of batch jobs at these sites alone; None: at all sites of the owner's.
    Rows of batch jobs that are not Balsam's come with their first observation, and go when they end.
    """
    observations = [storable_observation(observation) for observation in observations]
    with transaction.atomic():
        plan = _Plan(_rows_for(observations, site_id, sites), site_id)
        for observation in observations:
            plan.apply(observation)
        plan.write()
    leases.close_with_batch_jobs(plan.ended)
    return ObservationReply(len(plan.changed) + len(plan.new) + len(plan.gone), tuple(plan.ended))


def _rows_for(
    observations: Sequence[BatchJobObservation], site_id: int, sites: Sequence[int] | None
) -> list[QueuedLaunch]:
    """Lock the rows that may be meant, in the order of their ids."""
    ids = {observation.scheduler_id for observation in observations if observation.scheduler_id}
    names = {observation.name for observation in observations if observation.name}
    if sites is None:
        owner = Site.objects.filter(pk=site_id).values_list("owner", flat=True).first()
        sites = list(Site.objects.filter(owner=owner).values_list("pk", flat=True))
    numbered = Q(site=site_id, scheduler_id__in=ids)
    meant = numbered & (~Q(status__in=BATCH_JOB_END_STATES) | Q(from_balsam=True))
    named = Q(marker__in=names, site__in=sites)
    return list(with_clock().filter(meant | named).select_for_update(of=("self",)).order_by("pk"))


@dataclass
class _Plan:
    """The rows as they will be."""

    rows: Sequence[QueuedLaunch]
    site_id: int
    changed: dict[int, QueuedLaunch] = field(default_factory=dict)
    new: dict[tuple[str, str], QueuedLaunch] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._by_marker = {row.marker: row for row in self.rows if row.marker}
        numbered = [row for row in self.rows if row.scheduler_id and row.site_id == self.site_id]
        self._live = {(row.scheduler, row.scheduler_id): row for row in numbered if not is_over(row)}
        self._ended = {(row.scheduler, row.scheduler_id): row for row in numbered if is_over(row)}

    def apply(self, seen: BatchJobObservation) -> None:
        """Change the row that an observation is about."""
        row = self._row_of(seen)
        if row is None:
            self._add(seen)
        elif not row.from_balsam and seen.state in BATCH_JOB_END_STATES:
            self.gone.append(row.pk)
        else:
            before = _values(row)
            was_live = not is_over(row)
            change(row, seen)
            self._note(row, before, was_live=was_live)

    def write(self) -> None:
        """Write all that changed, ends first: a number may pass from one batch job to another."""
        rows = sorted(self.changed.values(), key=lambda row: not is_over(row))
        ending = [row for row in rows if is_over(row)]
        QueuedLaunch.objects.filter(pk__in=self.gone).delete()
        _write(ending)
        _write(rows[len(ending) :])
        QueuedLaunch.objects.bulk_create(self.new.values())
        if rows or self.new or self.gone:
            sites = {self.site_id, *(row.site_id for row in rows)}
            notices.notify((notices.BATCH, site_id) for site_id in sites)

    def _row_of(self, seen: BatchJobObservation) -> QueuedLaunch | None:
        key = (seen.scheduler, seen.scheduler_id)
        named = self._by_marker.get(seen.name) if seen.name else None
        if named is not None and named.scheduler == seen.scheduler:
            if named.scheduler_id not in ("", seen.scheduler_id):
                return None
            other = self._live.get(key, named)
            if other is not named and (not named.scheduler_id or seen.state is not B.FINISHED):
                self._end_former(other)
            return named
        row = self._live.get(key)
        if row is not None and seen.name and row.seen_by_name:
            self._end_former(row)
            return None
        return row or (None if seen.state in (B.QUEUED, B.RUNNING) else self._ended.get(key))

    def _end_former(self, row: QueuedLaunch) -> None:
        """End a batch job whose number the scheduler has used again."""
        before = _values(row)
        if not row.from_balsam:
            self.gone.append(row.pk)
            return
        finish(row, B.FINISHED, BatchJobEnd.VANISHED, "The scheduler has used its number again")
        self._live.pop((row.scheduler, row.scheduler_id), None)
        self._note(row, before, was_live=True)

    def _add(self, seen: BatchJobObservation) -> None:
        if seen.queue and seen.state in (B.QUEUED, B.RUNNING):
            row = QueuedLaunch(
                from_balsam=False,
                site_id=self.site_id,
                scheduler=seen.scheduler,
                scheduler_id=seen.scheduler_id,
            )
            _copy(row, seen)
            row.status = seen.state.value
            self.new[seen.scheduler, seen.scheduler_id] = row

    def _note(self, row: QueuedLaunch, before: Mapping[str, object], *, was_live: bool) -> None:
        if _values(row) != before:
            self.changed[row.pk] = row
            if was_live and is_over(row):
                self.ended.append(row.pk)


def change(row: QueuedLaunch, seen: BatchJobObservation) -> None:
    """Change a row in memory as an observation of this very batch job demands."""
    if seen.is_missing:
        row.missing_since = row.missing_since if is_over(row) else row.missing_since or row.as_of
        return
    if is_over(row):
        if not _may_reopen(row, seen):
            return
        row.status, row.end, row.ended = B.QUEUED.value, None, None
    _copy(row, seen)
    row.seen_by_name = row.seen_by_name or seen.name == row.marker
    row.scheduler_id = row.scheduler_id or seen.scheduler_id
    row.submitted = row.submitted or row.as_of
    row.missing_since = None
    _move(row, seen)


def is_over(row: QueuedLaunch) -> bool:
    """Whether a batch job counts as ended."""
    return row.status in BATCH_JOB_END_STATES


def _may_reopen(row: QueuedLaunch, seen: BatchJobObservation) -> bool:
    """Whether a batch job that counts as ended is there all the same, or its true end is told."""
    if row.status == B.SUBMIT_FAILED or not row.scheduler_id:
        return seen.name == row.marker
    if seen.state is B.FINISHED:
        return row.end in (BatchJobEnd.VANISHED, BatchJobEnd.UNKNOWN) and seen.end not in (None, row.end)
    return row.end in _OPEN_ENDS and seen.name == row.marker


def _move(row: QueuedLaunch, seen: BatchJobObservation) -> None:
    now = row.as_of
    if seen.state is B.FINISHED:
        finish(row, B.FINISHED, seen.end or BatchJobEnd.UNKNOWN, seen.reason or row.reason)
        row.started = seen.started or row.started
        row.ended = seen.ended or now
        return
    if seen.state is B.QUEUED:
        row.started = None
    elif seen.state is B.RUNNING:
        row.started = seen.started or row.started or now
    if row.deletion_asked:
        row.status = B.PENDING_DELETION.value
    elif seen.state is not B.UNKNOWN:
        row.status = seen.state.value
    elif row.status == B.PENDING_SUBMISSION:
        row.status = B.QUEUED.value


def _copy(row: QueuedLaunch, seen: BatchJobObservation) -> None:
    row.queue, row.project = seen.queue or row.queue, seen.project or row.project
    row.nodes = row.nodes if seen.num_nodes is None else seen.num_nodes
    row.wall_minutes = row.wall_minutes if seen.wall_time_min is None else seen.wall_time_min
    row.state = seen.native_state or row.state
    row.reason = seen.reason


def _write(rows: Sequence[QueuedLaunch]) -> None:
    if rows:
        values = [{"id": row.pk, **_values(row)} for row in rows]
        sql.run("write_batch_jobs", rows=json.dumps(values, default=datetime.isoformat))


def _values(row: QueuedLaunch) -> dict[str, object]:
    return {name: getattr(row, name) for name in _COLUMNS}

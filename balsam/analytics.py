"""How a campaign went: throughput and utilization from events, nodes from batch jobs.

Each report is two lists of the same length: times (naive UTC, ascending), and values from that time on, for
``plt.step(times, values, where="post")``. Where there is nothing to report both are empty.
"""

from collections.abc import Iterable
from datetime import datetime

from balsam.api.models import BatchJob, EventLog
from balsam.api.queries import Query
from balsam.states import BatchJobState
from balsam.states import JobState as S

__all__ = ["available_nodes", "throughput_report", "utilization_report"]


def throughput_report(
    eventlog_query: Query[EventLog], to_state: str = "JOB_FINISHED"
) -> tuple[list[datetime], list[int]]:
    """Return when jobs entered a state, and how many had done so by then.

    ``eventlog_query`` is a query, not a slice of one. A job that enters the state again counts again.
    """
    times = [event.timestamp for event in _moves(eventlog_query.filter(to_state=to_state))]
    return times, list(range(1, len(times) + 1))


def utilization_report(
    eventlog_query: Query[EventLog], node_weighting: bool = True
) -> tuple[list[datetime], list[float]]:
    """Return when jobs started and stopped running, and how many ran from then on.

    With ``node_weighting`` a job counts as the nodes it has, or its part of one; otherwise as 1. A job whose
    start is not among the events is taken to have been running before, with weight 1.
    """
    starts = _moves(eventlog_query.filter(to_state=S.RUNNING.value))
    ends = _moves(eventlog_query.filter(from_state=S.RUNNING.value))
    weights: dict[int, float] = {}
    before = 0.0
    changes: list[tuple[datetime, float]] = []
    for event in sorted([*starts, *ends], key=_when):
        if event.to_state == S.RUNNING:
            weight = float((event.data or {}).get("num_nodes", 1.0)) if node_weighting else 1.0
            weights[event.job_id] = weight
            changes.append((event.timestamp, weight))
        else:
            before += event.job_id not in weights
            changes.append((event.timestamp, -weights.pop(event.job_id, 1.0)))
    return _running_sum(changes, before)


def available_nodes(batchjob_query: Query[BatchJob]) -> tuple[list[datetime], list[int]]:
    """Return when batch jobs started and ended, and how many nodes they had together from then on.

    One that runs has its nodes still. One that has not started, or of which nobody knows when, is left out.
    """
    changes: list[tuple[datetime, float]] = []
    for batch_job in batchjob_query:
        start, end = batch_job.start_time, batch_job.end_time
        if start is None or (end is None and batch_job.state not in _RUNNING):
            continue
        changes.append((start, batch_job.num_nodes))
        if end is not None:
            changes.append((max(start, end), -batch_job.num_nodes))
    times, nodes = _running_sum(changes)
    return times, [round(count) for count in nodes]


_RUNNING = (BatchJobState.RUNNING, BatchJobState.PENDING_DELETION)


def _moves(events: Iterable[EventLog]) -> list[EventLog]:
    """Return events in order of time, without the notes that moved nothing."""
    return sorted((event for event in events if event.from_state != event.to_state), key=_when)


def _when(event: EventLog) -> tuple[datetime, int]:
    return event.timestamp, event.id


def _running_sum(
    changes: list[tuple[datetime, float]], total: float = 0.0
) -> tuple[list[datetime], list[float]]:
    times, values = [], []
    for time, change in sorted(changes, key=lambda item: item[0]):
        total += change
        times.append(time)
        values.append(round(total, 9))
    return times, values

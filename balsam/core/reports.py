"""Series over many jobs: when states were entered, throughput, utilisation, errors; all from the event table."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from balsam.states import JobState as S

if TYPE_CHECKING:
    from balsam.core.models.query import JobQuerySet

TimeData = dict[str, list[datetime]]
_LEAVES_RUNNING = "LEFT_RUNNING"


def process_job_times(qs: "JobQuerySet | None" = None) -> TimeData:
    """Return state -> naive UTC times at which jobs (default: all) entered it, every occurrence, ascending."""
    from balsam.core.models.event import JobEvent
    from balsam.core.models.job import BalsamJob

    jobs = BalsamJob.objects.all() if qs is None else qs
    times: TimeData = defaultdict(list)
    times[S.CREATED.value] = [t.replace(tzinfo=None) for t in jobs.order_by("created").values_list("created", flat=True)]
    events = JobEvent.objects.order_by("timestamp")
    if qs is not None:
        events = events.filter(job_id__in=jobs.order_by().values("job_id"))
    for came_from, state, when in events.values_list("from_state", "to_state", "timestamp").iterator(10_000):
        if came_from != state:
            times[state].append(when.replace(tzinfo=None))
        if came_from == S.RUNNING and state != S.RUNNING:
            times[_LEAVES_RUNNING].append(when.replace(tzinfo=None))
    return times


def utilization_report(time_data: TimeData | None = None) -> tuple[list[datetime], list[int]]:
    """Return (times, number of jobs running from each time on); every way of leaving RUNNING counts."""
    data = process_job_times() if time_data is None else time_data
    leaves = data.get(_LEAVES_RUNNING)
    if leaves is None:
        leaves = [t for state in (S.RUN_DONE, S.RUN_ERROR, S.RUN_TIMEOUT) for t in data.get(state.value, [])]
    steps = sorted([(t, 1) for t in data.get(S.RUNNING.value, [])] + [(t, -1) for t in leaves])
    return _cumulated(steps)


def throughput_report(time_data: TimeData | None = None) -> tuple[list[datetime], list[int]]:
    """Return (times, number of runs done until each)."""
    data = process_job_times() if time_data is None else time_data
    return _cumulated(sorted((t, 1) for t in data.get(S.RUN_DONE.value, [])))


def error_report(time_data: TimeData | None = None) -> tuple[list[datetime], list[int]] | None:
    """Return (bin edges one minute apart, errors in each bin), so one edge more than counts; None without errors."""
    data = process_job_times() if time_data is None else time_data
    errors = sorted(data.get(S.RUN_ERROR.value, []))
    if not errors:
        return None
    start = errors[0]
    bins = int((errors[-1] - start).total_seconds() // 60) + 1
    counts = [0] * bins
    for when in errors:
        counts[int((when - start).total_seconds() // 60)] += 1
    return [start + timedelta(minutes=i) for i in range(bins + 1)], counts


def _cumulated(steps: list[tuple[datetime, int]]) -> tuple[list[datetime], list[int]]:
    total, counts = 0, []
    for _, step in steps:
        total += step
        counts.append(total)
    return [when for when, _ in steps], counts



"""Series over many jobs: when states were entered, throughput, utilisation, errors; all from the events."""

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from balsam.states import JobState as S

if TYPE_CHECKING:
    from balsam.core.models.query import JobQuerySet

#: Events read from the database at once.
_CHUNK = 10_000
_LEAVES = tuple(state.value for state in (S.RUN_DONE, S.RUN_ERROR, S.RUN_TIMEOUT))

TimeData = dict[str, list[datetime]]
#: Time, change of the number of jobs running, nodes of the job.
_Step = tuple[datetime, int, int]


class JobTimes(defaultdict[str, list[datetime]]):
    """State -> times at which jobs entered it. ``steps`` has every start and every way a run was left."""

    def __init__(self) -> None:
        super().__init__(list)
        self.steps: list[_Step] = []


def process_job_times(qs: "JobQuerySet | None" = None) -> JobTimes:
    """Return state -> naive UTC times at which jobs (default: all) entered it.

    Every occurrence counts; each list is ascending.
    """
    from balsam.core.models.event import JobEvent
    from balsam.core.models.job import BalsamJob

    jobs = BalsamJob.objects.all() if qs is None else qs
    rows = list(jobs.order_by("created").values_list("job_id", "created", "num_nodes"))
    nodes = {job_id: num_nodes for job_id, _, num_nodes in rows}
    times = JobTimes()
    if rows:
        times[S.CREATED.value] = [_naive(created) for _, created, _ in rows]
    events = JobEvent.objects.order_by("timestamp", "id")
    if qs is not None:
        events = events.filter(job_id__in=jobs.order_by().values("job_id"))
    columns = events.values_list("job_id", "from_state", "to_state", "timestamp")
    for job_id, before, after, timestamp in columns.iterator(_CHUNK):
        if before == after:
            continue
        when = _naive(timestamp)
        times[after].append(when)
        if S.RUNNING in (before, after):
            times.steps.append((when, 1 if after == S.RUNNING else -1, nodes.get(job_id, 1)))
    return times


def utilization_report(
    time_data: TimeData | None = None, *, weigh_by: Literal["jobs", "nodes"] = "jobs"
) -> tuple[list[datetime], list[int]]:
    """Return (times, number running from each time on): of jobs, or of the nodes they occupy.

    Every way of leaving RUNNING counts. A dict of one's own has times of states only, so its jobs are taken
    to leave by RUN_DONE, RUN_ERROR or RUN_TIMEOUT, and to occupy one node each.
    """
    data = process_job_times() if time_data is None else time_data
    if isinstance(data, JobTimes):
        steps = [(when, change * (nodes if weigh_by == "nodes" else 1)) for when, change, nodes in data.steps]
    else:
        steps = [(when, 1) for when in data.get(S.RUNNING.value, [])]
        steps += [(when, -1) for state in _LEAVES for when in data.get(state, [])]
    return _cumulated(sorted(steps, key=lambda step: (step[0], -step[1])))


def throughput_report(time_data: TimeData | None = None) -> tuple[list[datetime], list[int]]:
    """Return (times, number of runs done until each)."""
    data = process_job_times() if time_data is None else time_data
    return _cumulated(sorted((when, 1) for when in data.get(S.RUN_DONE.value, [])))


def error_report(time_data: TimeData | None = None) -> tuple[list[datetime], list[int]] | None:
    """Return (bin edges one minute apart, errors in each bin); None without errors.

    There is one edge more than counts.
    """
    data = process_job_times() if time_data is None else time_data
    errors = sorted(data.get(S.RUN_ERROR.value, []))
    if not errors:
        return None
    start = errors[0]
    bins = [int((when - start).total_seconds() // 60) for when in errors]
    counts = [0] * (bins[-1] + 1)
    for index in bins:
        counts[index] += 1
    return [start + timedelta(minutes=i) for i in range(len(counts) + 1)], counts


def _cumulated(steps: list[tuple[datetime, int]]) -> tuple[list[datetime], list[int]]:
    total, counts = 0, []
    for _, step in steps:
        total += step
        counts.append(total)
    return [when for when, _ in steps], counts


def _naive(when: datetime) -> datetime:
    return when.replace(tzinfo=None)

"""Plan launches, from the work, the queue policy and what is queued already; pure.

Guards that nothing is planned for a closed queue, above a limit, in a shape outside of the bands, or for
work that live launches will do.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from balsam.agent.shapes import Packed, Shape, Work, pack
from balsam.config.queue_policy import Band, QueueRule
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobRequest
from balsam.schemas.batch_limits import ASKED_QUEUE
from balsam.states import BatchJobState

__all__ = ["PAD_MIN", "Plan", "QueueState", "make_plan"]

#: Of a launch, for its start and its end.
PAD_MIN = 5


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue of the policy: how many batch jobs are in it, and why nothing is submitted to it, or ''."""

    name: str
    is_open: bool
    live: int
    max_queued: int
    note: str = ""

    @property
    def room(self) -> int:
        """How many more may be submitted."""
        return max(0, self.max_queued - self.live) if self.is_open and not self.note else 0


@dataclass(frozen=True, slots=True)
class Plan:
    """Batch jobs to be asked for, and what there is to say."""

    requests: Sequence[BatchJobRequest]
    queues: Sequence[QueueState]
    #: One line for each kind of jobs that no launch will ever run under this policy.
    unfit: Sequence[str]
    #: Jobs that live launches will run, by calculation.
    covered: int
    #: Jobs for which there is no launch yet, and none is asked for now.
    uncovered: int


@dataclass(frozen=True, slots=True)
class _Launch:
    """A launch that could be asked for, and the work it would do."""

    queue: str
    num_nodes: int
    wall_time_min: int
    ready: Packed
    soon: Packed

    @property
    def rank(self) -> tuple[float, float]:
        """The better one is greater: the most work, then the fewest node-minutes."""
        return (self.ready.area + self.soon.area, -self.num_nodes * self.wall_time_min)

    @property
    def mode(self) -> str:
        shapes = [*self.ready.counts, *self.soon.counts]
        return "serial" if all(shape.is_serial for shape in shapes) else "mpi"


@dataclass(slots=True)
class _Filtered:
    """Work that launches with a filter may do."""

    by_workflow: Mapping[str, Work] = field(default_factory=dict)

    def visible(self, workflow: str, rest: Work) -> Work:
        """Return the part of the rest that a launch with this filter takes."""
        if not workflow:
            return rest
        seen = self.by_workflow.get(workflow, Work())
        return Work(
            {shape: min(count, rest.ready.get(shape, 0)) for shape, count in seen.ready.items()},
            {shape: min(count, rest.soon.get(shape, 0)) for shape, count in seen.soon.items()},
        )


def make_plan(
    work: Work,
    rules: Sequence[QueueRule],
    live: Sequence[BatchJobInfo],
    *,
    scheduler: str,
    project: str,
    held_back: Mapping[str, str] | None = None,
    work_of: Mapping[str, Work] | None = None,
) -> Plan:
    """Return the launches to ask for now.

    ``live`` are all batch jobs of the user that have not ended. ``held_back`` says why nothing is to be
    submitted to a queue for the time being. ``work_of`` is the work that the filter of a live launch lets by.
    """
    rest = work.copy()
    covered = _cover(rest, live, _Filtered(work_of or {}))
    unfit = _unfit(rest, rules)
    states = [_state(rule, live, held_back or {}) for rule in rules]
    room = {state.name: state.room for state in states}
    requests = []
    while (launch := _best(rest, rules, room)) is not None:
        room[launch.queue] -= 1
        rest.remove(launch.ready.counts, launch.soon.counts)
        requests.append(
            BatchJobRequest(
                scheduler=scheduler,
                project=project,
                queue=launch.queue,
                num_nodes=launch.num_nodes,
                wall_time_min=launch.wall_time_min,
                job_mode=launch.mode,
                optional_params={ASKED_QUEUE: launch.queue},
            )
        )
    return Plan(requests, states, unfit, covered, rest.num_jobs)


def _cover(rest: Work, live: Sequence[BatchJobInfo], filtered: _Filtered) -> int:
    """Take out what live launches will do; return how many jobs that is."""
    before = rest.num_jobs
    for info in live:
        if not info.from_balsam or info.state is BatchJobState.PENDING_DELETION:
            continue
        seen = filtered.visible(info.workflow, rest)
        if info.job_mode == "serial":
            seen = seen.only(shape for shape in seen.shapes() if shape.is_serial)
        minutes = _minutes_left(info)
        ready = pack(seen.ready, info.num_nodes, minutes)
        rest.remove(ready.counts, pack(seen.soon, info.num_nodes, minutes - ready.minutes).counts)
    return before - rest.num_jobs


def _minutes_left(info: BatchJobInfo) -> float:
    """Return how long jobs can run in a launch."""
    if info.state is BatchJobState.RUNNING and info.started is not None:
        return max(0.0, info.wall_time_min - info.age_sec(info.started) / 60)
    return max(0, info.wall_time_min - PAD_MIN)


def _state(rule: QueueRule, live: Sequence[BatchJobInfo], held_back: Mapping[str, str]) -> QueueState:
    count = sum(rule.name in (info.optional_params.get(ASKED_QUEUE), *info.queue.split(",")) for info in live)
    return QueueState(rule.name, rule.is_open, count, rule.max_queued, held_back.get(rule.name, ""))


def _fits(shape: Shape, band: Band) -> bool:
    return shape.num_nodes <= band.max_nodes and shape.minutes + PAD_MIN <= band.max_time_min


def _best(rest: Work, rules: Sequence[QueueRule], room: Mapping[str, int]) -> _Launch | None:
    """Return the launch that would do the most; None when there is nothing to run, or no room."""
    candidates = [
        _launch(rule.name, band, fitting)
        for rule in rules
        if room.get(rule.name, 0) > 0
        for band in rule.bands
        if (fitting := rest.only(shape for shape in rest.shapes() if _fits(shape, band))).ready
    ]
    return max(candidates, key=lambda launch: launch.rank, default=None)


def _launch(queue: str, band: Band, work: Work) -> _Launch:
    """Shape a launch in a band for work of which every job fits the band.

    What is ready asks for nodes to run at once. What may follow counts half way, as a geometric mean: it may
    become ready all at once, or one by one.
    """
    ready_width = sum(shape.width(count) for shape, count in work.ready.items())
    width = ready_width + sum(shape.width(count) for shape, count in work.soon.items())
    widest = max(shape.num_nodes for shape in work.ready)
    num_nodes = max(math.ceil(math.sqrt(ready_width * width)), widest, band.min_nodes)
    num_nodes = min(num_nodes, band.max_nodes)
    wanted_min = pack(work.ready, num_nodes).minutes + pack(work.soon, num_nodes).minutes + PAD_MIN
    wall_time_min = min(max(wanted_min, band.min_time_min), band.max_time_min)
    ready = pack(work.ready, num_nodes, wall_time_min - PAD_MIN)
    soon = pack(work.soon, num_nodes, wall_time_min - PAD_MIN - ready.minutes)
    return _Launch(queue, num_nodes, wall_time_min, ready, soon)


def _unfit(rest: Work, rules: Sequence[QueueRule]) -> list[str]:
    """Say why jobs fit into no launch that the policy allows, one line for each shape."""
    bands = [band for rule in rules if rule.is_open for band in rule.bands]
    lines = []
    for shape in sorted(rest.shapes(), key=lambda s: (s.num_nodes, s.minutes)):
        if any(_fits(shape, band) for band in bands):
            continue
        count = rest.ready.get(shape, 0) + rest.soon.get(shape, 0)
        jobs = "1 job of" if count == 1 else f"{count} jobs of"
        nodes = "1 node" if shape.num_nodes == 1 else f"{shape.num_nodes} nodes"
        lines.append(f"{jobs} {nodes} for {shape.minutes} min: {_misfit(shape, bands)}")
    return lines


def _misfit(shape: Shape, bands: Sequence[Band]) -> str:
    if not bands:
        return "no queue is open (submit-jobs = on, and max-queued above 0)"
    wide = [band for band in bands if band.max_nodes >= shape.num_nodes]
    if not wide:
        return f"no open queue has a band of more than {max(b.max_nodes for b in bands)} nodes"
    longest = max(band.max_time_min for band in wide)
    return (
        f"no band of an open queue lasts so long on so many nodes: {longest} min is the most, "
        f"of which a launch needs {PAD_MIN} to start and end"
    )

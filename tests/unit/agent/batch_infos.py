"""Batch jobs and queues for tests of the agent."""

from datetime import UTC, datetime, timedelta
from typing import Any

from balsam.config.queue_policy import Band, QueueRule
from balsam.schemas.batch_jobs import BatchJobInfo
from balsam.states import BatchJobState

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def batch_info(**fields: Any) -> BatchJobInfo:
    """A launch of 4 nodes and 60 min in queue q that waits; ``started_min`` ago it has begun to run."""
    started_min = fields.pop("started_min", None)
    if started_min is not None:
        fields |= {"started": NOW - timedelta(minutes=started_min), "state": BatchJobState.RUNNING}
    defaults: dict[str, Any] = {
        "batch_job_id": 1,
        "marker": "m",
        "scheduler": "local",
        "scheduler_id": "9",
        "native_state": "",
        "state": BatchJobState.QUEUED,
        "project": "p",
        "queue": "q",
        "num_nodes": 4,
        "wall_time_min": 60,
        "job_mode": "mpi",
        "workflow": "",
        "sched_flags": "",
        "optional_params": {},
        "from_balsam": True,
        "created": NOW,
        "submit_began": None,
        "submitting_until": None,
        "submitted": None,
        "started": None,
        "ended": None,
        "end": None,
        "missing_since": None,
        "reason": "",
        "command": "",
        "as_of": NOW,
    }
    return BatchJobInfo(**(defaults | fields))


def queue(
    name: str = "q",
    *bands: tuple[int, int, int, int],
    submit_jobs: bool = True,
    max_queued: int = 1,
) -> QueueRule:
    """A queue with bands of nodes and minutes; 1-16 nodes for 0-60 min if none is given."""
    shapes = bands or ((1, 16, 0, 60),)
    return QueueRule(name, submit_jobs, max_queued, tuple(Band(*shape) for shape in shapes))

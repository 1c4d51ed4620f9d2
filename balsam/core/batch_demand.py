"""What launchers that are still to be asked for could do."""

import json
from collections import Counter
from typing import Any

from balsam.core import sql
from balsam.core.retrying import retrying
from balsam.schemas.batch_jobs import Demand, DemandRequest

__all__ = ["demand"]

#: num_nodes, num_ranks, packing, wall_time_min, is_ready, is_running.
_Shape = tuple[Any, ...]


@retrying
def demand(request: DemandRequest) -> list[Demand]:
    """Return the shapes of the jobs that wait for a launcher, or may soon, and of those that run where asked.

    What waits below a failed parent that is to be repaired by hand is left out.
    """
    stuck = [job_id for (job_id,) in sql.fetch("stuck_jobs")]
    counts = _count(request, None)
    if stuck:
        counts -= _count(request, stuck)
    return [
        Demand(
            num_nodes=int(num_nodes),
            num_ranks=int(num_ranks),
            packing=int(packing),
            wall_time_min=int(wall_time_min),
            is_ready=bool(is_ready),
            is_running=bool(is_running),
            count=count,
        )
        for (num_nodes, num_ranks, packing, wall_time_min, is_ready, is_running), count in counts.items()
    ]


def _count(request: DemandRequest, stuck: list[str] | None) -> Counter[_Shape]:
    """Count all jobs by shape, or those of the stuck ones that would be among them."""
    rows = sql.fetch(
        "batch_demand",
        workflow=request.workflow,
        site_id=request.site_id,
        tags=json.dumps(dict(request.tags)),
        running=request.with_running,
        stuck=stuck,
    )
    return Counter({tuple(shape): int(count) for *shape, count in rows})

"""What launchers that are still to be asked for could do."""

import json

from balsam.core import sql
from balsam.core.retrying import retrying
from balsam.schemas.batch_jobs import Demand, DemandRequest

__all__ = ["demand"]


@retrying
def demand(request: DemandRequest) -> list[Demand]:
    """Return the shapes of the jobs that wait for a launcher, or may soon; reads only open jobs."""
    rows = sql.fetch(
        "batch_demand",
        workflow=request.workflow,
        site_id=request.site_id,
        tags=json.dumps(dict(request.tags)),
    )
    return [
        Demand(
            num_nodes=int(num_nodes),
            num_ranks=int(num_ranks),
            packing=int(packing),
            wall_time_min=int(wall_time_min),
            is_ready=bool(is_ready),
            count=int(count),
        )
        for num_nodes, num_ranks, packing, wall_time_min, is_ready, count in rows
    ]

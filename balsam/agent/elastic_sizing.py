"""How many nodes to ask for, and for how long; pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from balsam.config.site_settings import ElasticQueueSettings
from balsam.platform.scheduler.contract import BackfillWindow

__all__ = ["Load", "Size", "size_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The work there is, in nodes, and what is asked for already.

    ``runnable`` counts parts of nodes where jobs share them; ``smallest`` is the least number of nodes that
    one of these jobs needs.
    """

    runnable: float
    smallest: int = 1
    running: float = 0.0
    reserved: int = 0
    num_live: int = 0


@dataclass(frozen=True, slots=True)
class Size:
    """A batch job to ask for."""

    num_nodes: int
    wall_time_min: int


def size_of(
    settings: ElasticQueueSettings, load: Load, windows: Sequence[BackfillWindow] = ()
) -> Size | None:
    """Return what to ask for now; None when enough is asked for, nothing fits, or the queue is full."""
    if load.num_live >= settings.max_queued_jobs:
        return None
    uncovered = load.runnable - max(0.0, load.reserved - load.running)
    if uncovered <= 0:
        return None
    window = _window(settings, load, windows)
    if window is None:
        return None
    nodes = max(settings.min_num_nodes, load.smallest, math.ceil(uncovered - 1e-9))
    nodes = min(nodes, window.num_nodes, settings.max_num_nodes)
    if nodes < load.smallest:
        return None
    return Size(nodes, window.wall_time_min - settings.wall_time_pad_min)


def _window(
    settings: ElasticQueueSettings, load: Load, windows: Sequence[BackfillWindow]
) -> BackfillWindow | None:
    """Return the room to fill: the largest window, within the limits; without backfill, the limits."""
    if not settings.use_backfill:
        return BackfillWindow(settings.max_num_nodes, settings.max_wall_time_min)
    least = max(settings.min_num_nodes, load.smallest)
    fitting = [
        BackfillWindow(window.num_nodes, min(window.wall_time_min, settings.max_wall_time_min))
        for window in windows
        if window.num_nodes >= least and window.wall_time_min >= settings.min_wall_time_min
    ]
    return max(fitting, key=lambda window: window.num_nodes * window.wall_time_min, default=None)

"""Find the nodes of this allocation by the name of the way to find them; never returns none at all."""

import difflib
from collections.abc import Callable
from importlib import import_module

from balsam.exceptions import ConfigError, UsageError
from balsam.platform.nodes.node import Node

__all__ = ["KNOWN_TYPES", "detect_nodes"]

#: A way to find nodes: given the number of GPUs on each, as the user tells it.
Detector = Callable[[int], list[Node]]

#: `WORKER_DETECTION_TYPE` -> where its detector is.
_DETECTORS = {
    "auto": "balsam.platform.nodes.local:local_nodes",
    "DEFAULT": "balsam.platform.nodes.local:local_nodes",
}
KNOWN_TYPES = tuple(_DETECTORS)


def detect_nodes(
    detection_type: str = "auto", *, gpus_per_node: int = 0, limit: int = 0, offset: int = 0
) -> list[Node]:
    """List the nodes of this allocation, from the one at ``offset`` on, at most ``limit`` (0: all).

    Raises ConfigError for an unknown type, and UsageError when the slice is empty.
    """
    if limit < 0 or offset < 0 or gpus_per_node < 0:
        raise UsageError(
            f"Cannot use {limit} nodes from number {offset} on with {gpus_per_node} GPUs each: "
            "none of these may be negative. Correct --limit-nodes, --offset-nodes or --gpus-per-node."
        )
    nodes = _detector(detection_type)(gpus_per_node)
    chosen = nodes[offset : offset + limit if limit else None]
    if not chosen:
        raise UsageError(
            f"No node is left to use: this allocation has {len(nodes)} and --offset-nodes skips {offset}. "
            f"Give an offset below {len(nodes)}."
        )
    return chosen


def _detector(detection_type: str) -> Detector:
    path = _DETECTORS.get(detection_type)
    if path is None:
        close = difflib.get_close_matches(detection_type, KNOWN_TYPES, n=1, cutoff=0.5)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(
            f"Cannot find the nodes: WORKER_DETECTION_TYPE {detection_type!r} is not known.{meant} "
            f"Set it in settings.json to one of: {', '.join(KNOWN_TYPES)}."
        )
    module, name = path.split(":")
    detector: Detector = getattr(import_module(module), name)
    return detector

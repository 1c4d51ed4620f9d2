"""The nodes that a launcher may use, found as `WORKER_DETECTION_TYPE` in settings.json says."""

from balsam.platform.nodes.detection import KNOWN_TYPES, detect_nodes
from balsam.platform.nodes.node import Node, NodeDescription

__all__ = ["KNOWN_TYPES", "Node", "NodeDescription", "detect_nodes"]

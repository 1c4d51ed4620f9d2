"""Find the nodes of this allocation by the name of the way to find them; never returns none at all."""

import difflib
import os
from collections.abc import Callable, Mapping
from importlib import import_module

from balsam.exceptions import ConfigError, UsageError
from balsam.platform.nodes.inventory import Inventory
from balsam.platform.nodes.node import FoundNode, Node, NodeDescription

__all__ = ["KNOWN_TYPES", "detect_nodes"]

#: A way to find nodes in the environment of a batch job.
Detector = Callable[[Mapping[str, str]], list[FoundNode]]

_PACKAGE = "balsam.platform.nodes"
#: Name -> where its detector is.
_DETECTORS = {
    "local": f"{_PACKAGE}.local:local_node",
    "slurm": f"{_PACKAGE}.slurm:slurm_nodes",
    "pbs": f"{_PACKAGE}.node_files:pbs_nodes",
    "cobalt-file": f"{_PACKAGE}.node_files:cobalt_file_nodes",
    "cobalt-partition": f"{_PACKAGE}.cobalt:cobalt_partition_nodes",
    "lsf": f"{_PACKAGE}.node_files:lsf_nodes",
    "BGQ": f"{_PACKAGE}.cobalt:bgq_nodes",
}
#: Other names of `WORKER_DETECTION_TYPE`: of the database generation, and of the site generation.
_ALIASES = {
    "DEFAULT": "local",
    "THETA": "cobalt-partition",
    "COOLEY": "cobalt-file",
    "THETA_GPU": "cobalt-file",
    "SLURM": "slurm",
    "DefaultNode": "local",
    "ThetaNode": "cobalt-partition",
    "ThetaKNLNode": "cobalt-partition",
    "ThetaGPUNode": "cobalt-file",
    "CooleyNode": "cobalt-file",
    "PolarisNode": "pbs",
    "AuroraNode": "pbs",
    "PerlmutterNode": "slurm",
    "CoriHaswellNode": "slurm",
    "CoriKNLNode": "slurm",
    "SummitNode": "lsf",
}
KNOWN_TYPES = ("auto", *_DETECTORS, *_ALIASES)
#: For ``auto``: the variable that says it -> detector.
_SIGNS = {
    "SLURM_JOB_NODELIST": "slurm",
    "SLURM_NODELIST": "slurm",
    "PBS_NODEFILE": "pbs",
    "COBALT_NODEFILE": "cobalt-file",
    "COBALT_PARTNAME": "cobalt-partition",
    "LSB_DJOB_HOSTFILE": "lsf",
    "LSB_MCPU_HOSTS": "lsf",
}


def detect_nodes(
    detection_type: str = "auto",
    *,
    gpus_per_node: int = 0,
    limit: int = 0,
    offset: int = 0,
    description: NodeDescription = NodeDescription(),  # noqa: B008 - it is frozen
    environ: Mapping[str, str] = os.environ,
) -> list[Node]:
    """List the nodes of this allocation, from the one at ``offset`` on, at most ``limit`` (0: all).

    ``gpus_per_node`` is the user's word on the number of GPUs; 0 leaves it to the scheduler's environment,
    then to ``description``, which is what is known of the machine's nodes. Raises ConfigError for an unknown
    type and outside of an allocation of that kind, and UsageError when the slice is empty.
    """
    if limit < 0 or offset < 0 or gpus_per_node < 0:
        raise UsageError(
            f"Cannot use {limit} nodes from number {offset} on with {gpus_per_node} GPUs each: "
            "none of these may be negative. Correct --limit-nodes, --offset-nodes or --gpus-per-node."
        )
    found = _detector(detection_type, environ)(environ)
    chosen = found[offset : offset + limit if limit else None]
    if not chosen:
        raise UsageError(
            f"No node is left to use: this allocation has {len(found)} and --offset-nodes skips {offset}. "
            f"Give an offset below {len(found)}."
        )
    inventory = Inventory(description, environ, found)
    return [inventory.complete(node, gpus_per_node) for node in chosen]


def _detector(detection_type: str, environ: Mapping[str, str]) -> Detector:
    name = _ALIASES.get(detection_type.rpartition(".")[2], detection_type)
    if name == "auto":
        name = next((kind for variable, kind in _SIGNS.items() if environ.get(variable)), "local")
    path = _DETECTORS.get(name)
    if path is None:
        close = difflib.get_close_matches(detection_type, KNOWN_TYPES, n=1, cutoff=0.5)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(
            f"Cannot find the nodes: WORKER_DETECTION_TYPE {detection_type!r} is not known.{meant} "
            f"Set it in settings.json to one of: {', '.join(KNOWN_TYPES)}."
        )
    module, function = path.split(":")
    detector: Detector = getattr(import_module(module), function)
    return detector

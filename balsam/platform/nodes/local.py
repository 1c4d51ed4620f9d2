"""This host: laptops, workstations, and the node of an allocation on which a launcher runs."""

import os
import socket
from collections.abc import Mapping

from balsam.platform.nodes.node import FoundNode, NodeDescription

__all__ = ["is_this_host", "local_node", "this_host"]


def local_node(environ: Mapping[str, str]) -> list[FoundNode]:
    """Return this host as the only node."""
    return [FoundNode(name=socket.gethostname())]


def is_this_host(name: str, environ: Mapping[str, str]) -> bool:
    """Say whether a node of the allocation is the host of this process.

    Slurm's own name of it counts, too: a node need not be called as its host.
    """
    return (
        name == environ.get("SLURMD_NODENAME")
        or name.partition(".")[0] == socket.gethostname().partition(".")[0]
    )


def this_host() -> NodeDescription:
    """Describe this host: the CPUs this process may run on, and its memory."""
    import psutil  # workers, which start by the thousand, know of nodes and do without it

    return NodeDescription(cpus=_usable_cpus(), memory_mb=psutil.virtual_memory().total // 2**20)


def _usable_cpus() -> tuple[int, ...]:
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))  # macOS

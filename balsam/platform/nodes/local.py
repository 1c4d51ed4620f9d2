"""This host as the only node: laptops, workstations, and every machine without an adapter of its own."""

import os
import socket

import psutil

from balsam.platform.nodes.node import Node

__all__ = ["local_nodes"]


def local_nodes(gpus_per_node: int) -> list[Node]:
    """Return this host, with the CPUs this process may run on and GPUs numbered from 0."""
    memory_mb = psutil.virtual_memory().total // 2**20
    gpus = tuple(str(number) for number in range(gpus_per_node))
    return [Node(socket.gethostname(), _usable_cpus(), gpus, memory_mb)]


def _usable_cpus() -> tuple[int, ...]:
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))  # macOS

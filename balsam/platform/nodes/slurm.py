"""Nodes of a Slurm allocation.

https://slurm.schedmd.com/sbatch.html#SECTION_OUTPUT-ENVIRONMENT-VARIABLES
"""

import re
from collections.abc import Mapping

from balsam.exceptions import ConfigError
from balsam.lib.nodelists import expand_nodelist
from balsam.platform.nodes.errors import outside_of_allocation
from balsam.platform.nodes.node import FoundNode

__all__ = ["slurm_nodes"]

#: ``SLURM_HOSTS`` is what older job templates export, from `scontrol show hostnames`.
_LISTS = ("SLURM_JOB_NODELIST", "SLURM_NODELIST", "SLURM_HOSTS")
#: CPUs of one node, and how many nodes in a row have as many: ``72(x2)``.
_CPUS = re.compile(r"(\d+)(?:\(x(\d+)\))?", re.ASCII)


def slurm_nodes(environ: Mapping[str, str]) -> list[FoundNode]:
    """Return the nodes of the allocation, with CPUs, GPUs and memory where Slurm tells them."""
    variable = next((name for name in _LISTS if environ.get(name)), None)
    if variable is None:
        raise outside_of_allocation("SLURM_JOB_NODELIST", "Slurm")
    try:
        names = expand_nodelist(environ[variable])
    except ValueError as error:
        raise ConfigError(f"Cannot find the nodes: {variable} cannot be read: {error}.") from error
    cpus = _cpus_per_node(environ.get("SLURM_JOB_CPUS_PER_NODE", ""), len(names))
    num_gpus = _gpus_per_node(environ)
    return [
        FoundNode(name=name, num_cpus=num_cpus, num_gpus=num_gpus, memory_mb=_memory_mb(environ, num_cpus))
        for name, num_cpus in zip(names, cpus, strict=True)
    ]


def _cpus_per_node(text: str, num_nodes: int) -> list[int]:
    """Write out ``72(x2),36``; zeros, which is unknown, where it does not tell of every node."""
    cpus: list[int] = []
    for part in text.split(","):
        match = _CPUS.fullmatch(part.strip())
        repeats = int(match[2] or 1) if match else 0
        if match is None or repeats > num_nodes:
            return [0] * num_nodes
        cpus += [int(match[1])] * repeats
    return cpus if len(cpus) == num_nodes else [0] * num_nodes


def _gpus_per_node(environ: Mapping[str, str]) -> int:
    """Read ``4`` or ``a100:3,v100:1``; 0 where nothing can be read."""
    text = environ.get("SLURM_GPUS_ON_NODE") or environ.get("SLURM_GPUS_PER_NODE") or ""
    counts = [part.rpartition(":")[2].strip() for part in text.split(",")]
    return sum(map(int, counts)) if all(count.isdecimal() for count in counts) else 0


def _memory_mb(environ: Mapping[str, str], num_cpus: int) -> int:
    """Return the memory of a node of the allocation; 0 where Slurm does not limit it."""
    per_node, per_cpu = environ.get("SLURM_MEM_PER_NODE", ""), environ.get("SLURM_MEM_PER_CPU", "")
    if per_node.isdecimal():
        return int(per_node)
    return int(per_cpu) * num_cpus if per_cpu.isdecimal() else 0

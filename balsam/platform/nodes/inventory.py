"""Complete what a scheduler tells of nodes by what is known of the machine, and by looking at this host."""

from collections.abc import Mapping, Sequence

from balsam.platform.gpus import visible_gpus
from balsam.platform.nodes.local import is_this_host, this_host
from balsam.platform.nodes.node import FoundNode, Node, NodeDescription

__all__ = ["Inventory"]


class Inventory:
    """What is known of the nodes ``found``.

    Nodes of one allocation are taken to be alike: where neither scheduler nor description says what another
    node has, it has what this host has.
    """

    def __init__(
        self, description: NodeDescription, environ: Mapping[str, str], found: Sequence[FoundNode]
    ) -> None:
        self._described = description
        self._here = this_host()
        self._names_here = {node.name for node in found if is_this_host(node.name, environ)}
        self._visible_gpus = visible_gpus(environ) if self._names_here else None

    def complete(self, found: FoundNode, gpus_per_node: int = 0) -> Node:
        """Say what a node has; ``gpus_per_node`` is the user's word on the number of GPUs."""
        gpus = self._gpus(gpus_per_node or found.num_gpus)
        return Node(found.name, self._cpus(found), gpus, self._memory_mb(found))

    def _cpus(self, found: FoundNode) -> tuple[int, ...]:
        usable = self._here.cpus
        if found.name in self._names_here:
            cpus = tuple(cpu for cpu in self._described.cpus if cpu in usable) or usable
        elif found.num_cpus > len(usable) and not self._described.cpus:
            cpus = tuple(range(found.num_cpus))
        else:
            cpus = self._described.cpus or usable
        return cpus[: found.num_cpus or None]

    def _gpus(self, count: int) -> tuple[str, ...]:
        names, visible = self._described.gpus, self._visible_gpus
        if visible is not None and (names or count):
            names = tuple(g for g in names if g in visible or g.partition(".")[0] in visible) or visible
        if len(names) >= count:
            return names[: count or None]
        return tuple(str(number) for number in range(count))

    def _memory_mb(self, found: FoundNode) -> int:
        if found.name in self._names_here:
            whole = self._here.memory_mb
        else:
            whole = self._described.memory_mb or (self._here.memory_mb if self._names_here else 0)
        return min(filter(None, (whole, found.memory_mb)), default=0)

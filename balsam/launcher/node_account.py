"""What is taken and what is free of one node: room, cores, GPUs and memory.

Guards that a job gets all it asks for or nothing, and that giving back restores exactly what was.
"""

from heapq import heappop, heappush, nsmallest
from typing import NamedTuple

from balsam.launcher.gpu_account import GpuAccount
from balsam.launcher.shapes import GPU_PARTS, MAX_PACKING, NODE_PARTS, Shape
from balsam.platform.nodes import Node

__all__ = ["NodeAccount", "Taken"]

_UNLIMITED_MB = 1 << 62


class Taken(NamedTuple):
    """The CPUs and GPUs a job got on one node; a job of one core may share its CPU."""

    cpu_ids: tuple[int, ...]
    gpu_ids: tuple[str, ...]


class NodeAccount:
    """The books of one node.

    With ``lends_gpus`` a job that asks for no GPU is lent one where the node has any.
    """

    def __init__(self, node: Node, *, lends_gpus: bool = False) -> None:
        self.node = node
        self.gpus = GpuAccount(node.gpus)
        self.free_parts = NODE_PARTS
        #: Memory for jobs; unlimited where it is not known.
        self.capacity_mb = node.memory_mb or _UNLIMITED_MB
        self.free_mb = self.capacity_mb
        #: Nothing is placed here any more.
        self.is_closed = False
        #: Jobs running here.
        self.num_jobs = 0
        self._lends_gpus = lends_gpus and bool(node.gpus)
        self._cpu_loads = [0] * len(node.cpus)
        self._cpu_position = {cpu: position for position, cpu in enumerate(node.cpus)}
        #: A heap of positions in ``node.cpus``: in sorted order, so already one.
        self._free_cpus = list(range(len(node.cpus)))

    @property
    def is_full(self) -> bool:
        """No job fits, however small: what rounding left over is none's."""
        return self.is_closed or self.free_parts < NODE_PARTS // MAX_PACKING

    @property
    def free_cores(self) -> int:
        """CPUs on which no job runs."""
        return len(self._free_cpus)

    def could_hold(self, shape: Shape) -> bool:
        """Say whether such a job fits when nothing else runs here; too many cores are no obstacle."""
        fits = shape.num_gpus <= len(self.node.gpus) and shape.memory_mb <= self.capacity_mb
        return fits and not self.is_closed

    def has_cores(self, shape: Shape) -> bool:
        """Say whether the cores are free.

        A job that asks for more than there are is run when it has all of them to itself; jobs of one core
        share when their packing count, which is the user's word, exceeds the cores.
        """
        free, existing = len(self._free_cpus), len(self._cpu_loads)
        return free >= shape.cores or free == existing or (shape.cores == 1 and shape.packing > existing)

    def fits(self, shape: Shape) -> bool:
        """Say whether :meth:`take` would succeed now."""
        taken = self.take(shape)
        if taken is None:
            return False
        self.give_back(shape, taken)
        return True

    def take(self, shape: Shape) -> Taken | None:
        """Give a job its resources on this node, or None when some are not free."""
        if (
            self.is_closed
            or self.free_parts < shape.node_parts
            or self.free_mb < shape.memory_mb
            or not self.has_cores(shape)
        ):
            return None
        gpu_ids = self._take_gpus(shape)
        if gpu_ids is None:
            return None
        self.num_jobs += 1
        self.free_parts -= shape.node_parts
        self.free_mb -= shape.memory_mb
        return Taken(self._take_cpus(shape.cores, self._next_to(gpu_ids)), gpu_ids)

    def give_back(self, shape: Shape, taken: Taken) -> None:
        """Undo :meth:`take`."""
        self.num_jobs -= 1
        self.free_parts += shape.node_parts
        self.free_mb += shape.memory_mb
        if shape.gpu_parts:
            self.gpus.give_back(taken.gpu_ids, shape.gpu_parts)
        elif taken.gpu_ids:
            self.gpus.take_back(taken.gpu_ids, self._lent_parts(shape))
        for cpu in taken.cpu_ids:
            position = self._cpu_position[cpu]
            self._cpu_loads[position] -= 1
            if not self._cpu_loads[position]:
                heappush(self._free_cpus, position)

    def _take_gpus(self, shape: Shape) -> tuple[str, ...] | None:
        if shape.gpu_parts:
            return self.gpus.take(shape.gpu_parts)
        return self.gpus.lend(self._lent_parts(shape)) if self._lends_gpus else ()

    def _lent_parts(self, shape: Shape) -> int:
        """Weigh a job by the part of a GPU it would have if the node were full of its like."""
        return max(1, min(GPU_PARTS, GPU_PARTS * len(self.node.gpus) // shape.packing))

    def _next_to(self, gpu_ids: tuple[str, ...]) -> int:
        """Return the position of the first CPU next to a GPU: both are listed in the same order."""
        gpus = self.node.gpus
        return gpus.index(gpu_ids[0]) * len(self.node.cpus) // len(gpus) if gpu_ids else 0

    def _take_cpus(self, cores: int, start: int) -> tuple[int, ...]:
        """Take free CPUs from position ``start`` on, then those before; or share the least busy one."""
        free = self._free_cpus
        if free and start:
            count = len(self.node.cpus)
            positions = nsmallest(cores, free, key=lambda position: (position - start) % count)
            self._free_cpus = sorted(set(free).difference(positions))
        elif free:
            positions = [heappop(free) for _ in range(min(cores, len(free)))]
        else:
            positions = [min(range(len(self._cpu_loads)), key=self._cpu_loads.__getitem__)]
        for position in positions:
            self._cpu_loads[position] += 1
        return tuple([self.node.cpus[position] for position in positions])

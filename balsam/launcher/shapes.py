"""What a job asks of each of its nodes: jobs that ask for the same are the same to placement.

Shares of a node and of a GPU are whole numbers of parts, so that taking and giving back never drifts.
"""

from typing import NamedTuple

from balsam.schemas.jobs import JobSpec

__all__ = ["GPU_PARTS", "MAX_PACKING", "NODE_PARTS", "Shape", "shape_of"]

#: Parts of a whole node: one job with ``node_packing_count`` n takes ``NODE_PARTS // n`` of them.
NODE_PARTS = 10**12
#: Jobs of at most this number share a node.
MAX_PACKING = 10**6
#: Parts of a whole GPU. A share is rounded down, so three jobs of 0.333... or of 1/3 fill one GPU.
GPU_PARTS = 1000


class Shape(NamedTuple):
    """The resources of one job, on each of its nodes."""

    num_nodes: int
    cores: int
    gpu_parts: int
    memory_mb: int
    #: How many such jobs a node may run at once; jobs of several nodes have theirs to themselves.
    packing: int

    @property
    def node_parts(self) -> int:
        """Parts of :data:`NODE_PARTS` the job takes of a node."""
        return NODE_PARTS // self.packing

    @property
    def num_gpus(self) -> int:
        """GPUs the job uses on a node, where a shared one counts as one."""
        return -(-self.gpu_parts // GPU_PARTS)


def shape_of(job: JobSpec) -> Shape:
    """Reduce a job to what placement needs to know of it."""
    gpus = job.gpus_per_rank * job.ranks_per_node
    gpu_parts = max(1, int(gpus * GPU_PARTS + 1e-6)) if gpus > 0 else 0
    packing = min(max(1, job.node_packing_count), MAX_PACKING) if job.num_nodes == 1 else 1
    return Shape(job.num_nodes, job.cores_per_node, gpu_parts, job.memory_mb_per_node, packing)

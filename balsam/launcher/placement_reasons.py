"""Say in words why a job is not placed: every sentence has the number asked for and the number there is."""

from collections.abc import Iterable, Sequence

from balsam.launcher.node_account import NodeAccount
from balsam.launcher.shapes import GPU_PARTS, NODE_PARTS, Shape

__all__ = ["too_long", "why_impossible", "why_not_now"]


def too_long(wall_time_min: float, time_left_sec: float) -> str:
    """Name the time a job needs and the time there is."""
    return (
        f"It may run for {wall_time_min:g} min, and this launcher ends in {time_left_sec / 60:.1f} min. "
        "It needs a launcher with more time, or a smaller wall_time_minutes."
    )


def why_impossible(accounts: Sequence[NodeAccount], shape: Shape) -> str | None:
    """Say why the shape does not fit however empty the nodes are; None when it does."""
    if shape.num_nodes > len(accounts):
        return (
            f"It needs {shape.num_nodes} nodes, and this launcher has {len(accounts)}. "
            "Start a launcher on more nodes, or lower num_nodes."
        )
    if sum(account.could_hold(shape) for account in accounts) >= shape.num_nodes:
        return None
    where = "each of its nodes" if shape.num_nodes > 1 else "its node"
    most_gpus = _nth_largest([len(account.node.gpus) for account in accounts], shape.num_nodes)
    if shape.num_gpus > most_gpus:
        return (
            f"It needs {_gpus(shape)} on {where}, and this launcher's nodes have {most_gpus}. "
            "Start the launcher with --gpus-per-node, or on nodes with more, or lower gpus_per_rank."
        )
    most_mb = _nth_largest([account.capacity_mb for account in accounts], shape.num_nodes)
    if shape.memory_mb > most_mb:
        return (
            f"It needs {shape.memory_mb} MB of memory on {where}, "
            f"and this launcher's nodes have {most_mb} MB. "
            "Start the launcher on nodes with more, or lower memory_mb_per_node."
        )
    return (
        f"It needs {_gpus(shape)} and {shape.memory_mb} MB of memory on {where}, and this launcher has "
        "too few nodes with both. Start it on other nodes, or ask for less."
    )


def why_not_now(accounts: Sequence[NodeAccount], shape: Shape) -> str | None:
    """Say what a shape that is possible waits for; None when it fits now."""
    able = [account for account in accounts if account.could_hold(shape)]
    if shape.num_nodes > 1:
        num_empty = sum(not account.num_jobs for account in able)
        if num_empty >= shape.num_nodes:
            return None
        return f"It waits for {shape.num_nodes} empty nodes; {num_empty} are empty now."
    if not any(account.fits(shape) for account in able):
        return _what_is_short(able, shape)
    return None


def _what_is_short(able: Sequence[NodeAccount], shape: Shape) -> str:
    """Name the first resource that no node has free, among those that have the ones before."""
    roomy = [account for account in able if account.free_parts >= shape.node_parts]
    if not roomy:
        free = max(account.free_parts for account in able) / NODE_PARTS
        part = f"1/{shape.packing} of a node" if shape.packing > 1 else "a whole node"
        return f"It waits for {part}; at most {free:.2f} of one is free now."
    enough_mb = [account for account in roomy if account.free_mb >= shape.memory_mb]
    if not enough_mb:
        free_mb = max(account.free_mb for account in roomy)
        return f"It waits for {shape.memory_mb} MB of memory on one node; at most {free_mb} MB are free now."
    if not any(account.has_cores(shape) for account in enough_mb):
        free_cores = max(account.free_cores for account in enough_mb)
        needed = min(shape.cores, max(len(account.node.cpus) for account in enough_mb))
        return f"It waits for {needed} free cores on one node; at most {free_cores} are free now."
    return f"It waits for {_gpus(shape)} on one node; other jobs have them now."


def _nth_largest(numbers: Iterable[int], n: int) -> int:
    """Return what at least ``n`` nodes have."""
    return sorted(numbers, reverse=True)[n - 1]


def _gpus(shape: Shape) -> str:
    number = shape.gpu_parts / GPU_PARTS
    return "a GPU" if not shape.gpu_parts else f"{number:g} GPU{'s' if number > 1 else ''}"

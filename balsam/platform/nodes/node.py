"""What one node offers; every adapter describes its machine in these terms."""

from dataclasses import dataclass

__all__ = ["FoundNode", "Node", "NodeDescription"]


@dataclass(frozen=True, slots=True)
class Node:
    """One host of an allocation, with what jobs may use of it.

    ``cpus`` are the operating system's numbers of the logical CPUs, ``gpus`` the names by which the GPU
    runtime selects devices (``"0"``, tiles as ``"0.1"``); both in the order in which they are to be used.
    ``memory_mb`` is 0 where it is not known: then it limits nothing.
    """

    name: str
    cpus: tuple[int, ...]
    gpus: tuple[str, ...] = ()
    memory_mb: int = 0

    def __post_init__(self) -> None:
        if not self.cpus:
            raise ValueError(f"node {self.name} has no CPU")
        for what, names in (("CPU", self.cpus), ("GPU", self.gpus)):
            if len(set(names)) != len(names):
                raise ValueError(f"node {self.name} names a {what} twice: {names}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDescription:
    """What is known beforehand of a machine's nodes; empty or 0 where it is not."""

    cpus: tuple[int, ...] = ()
    gpus: tuple[str, ...] = ()
    memory_mb: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNode:
    """A node as the environment of the batch job tells of it; 0 where it does not say how many."""

    name: str
    num_cpus: int = 0
    num_gpus: int = 0
    memory_mb: int = 0

"""Work as rectangles (nodes x minutes), and how much of it goes into a launch; pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from balsam.schemas.batch_jobs import Demand

__all__ = ["Packed", "Shape", "Work", "pack"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What one job needs; ``packing`` of them share a node."""

    num_nodes: int
    num_ranks: int
    packing: int
    wall_time_min: int

    @property
    def is_serial(self) -> bool:
        """Whether a launch in serial mode can run it."""
        return self.num_nodes == 1 and self.num_ranks == 1

    @property
    def minutes(self) -> int:
        """How long it is expected to run; at least a minute."""
        return max(1, self.wall_time_min)

    def width(self, count: int) -> int:
        """Return the nodes on which so many run at once."""
        return -(-count // self.packing) * self.num_nodes

    def area(self, count: int) -> float:
        """Return the node-minutes of so many."""
        return count * self.num_nodes * self.minutes / self.packing


@dataclass(slots=True)
class Work:
    """How many jobs of each shape can be run now, and how many may soon."""

    ready: dict[Shape, int] = field(default_factory=dict)
    soon: dict[Shape, int] = field(default_factory=dict)

    @classmethod
    def of(cls, demand: Iterable[Demand]) -> "Work":
        """Return the work that the core counts."""
        work = cls()
        for row in demand:
            shape = Shape(row.num_nodes, row.num_ranks, max(1, row.packing), row.wall_time_min)
            counts = work.ready if row.is_ready else work.soon
            counts[shape] = counts.get(shape, 0) + row.count
        return work

    @property
    def num_ready(self) -> int:
        """Jobs that can be run now."""
        return sum(self.ready.values())

    @property
    def num_jobs(self) -> int:
        """All jobs."""
        return self.num_ready + sum(self.soon.values())

    def copy(self) -> "Work":
        """Return a copy."""
        return Work(dict(self.ready), dict(self.soon))

    def only(self, shapes: Iterable[Shape]) -> "Work":
        """Return the part of these shapes."""
        wanted = set(shapes)
        return Work(
            {shape: count for shape, count in self.ready.items() if shape in wanted},
            {shape: count for shape, count in self.soon.items() if shape in wanted},
        )

    def shapes(self) -> set[Shape]:
        """Return the shapes there are jobs of."""
        return {*self.ready, *self.soon}

    def remove(self, ready: Mapping[Shape, int], soon: Mapping[Shape, int]) -> None:
        """Take jobs out."""
        for counts, gone in ((self.ready, ready), (self.soon, soon)):
            for shape, count in gone.items():
                counts[shape] = max(0, counts.get(shape, 0) - count)
                if not counts[shape]:
                    del counts[shape]


@dataclass(frozen=True, slots=True)
class Packed:
    """What went into a rectangle, and how many of its minutes that takes."""

    counts: Mapping[Shape, int]
    minutes: int

    @property
    def area(self) -> float:
        """Node-minutes of the jobs."""
        return sum(shape.area(count) for shape, count in self.counts.items())


def pack(counts: Mapping[Shape, int], num_nodes: int, minutes: float = math.inf) -> Packed:
    """Fill a rectangle with jobs: shelf upon shelf, the longest jobs first."""
    taken: dict[Shape, int] = {}
    height = free = 0
    for shape in sorted(counts, key=lambda s: (-s.minutes, -s.num_nodes, s.packing, s.num_ranks)):
        if shape.num_nodes > num_nodes or not counts[shape]:
            continue
        count = min(counts[shape], free // shape.num_nodes * shape.packing)
        free -= shape.width(count)
        rest = counts[shape] - count
        on_shelf = num_nodes // shape.num_nodes * shape.packing
        shelves = int(min(-(-rest // on_shelf), (minutes - height) // shape.minutes))
        if rest and shelves > 0:
            more = min(rest, shelves * on_shelf)
            height += shelves * shape.minutes
            free = num_nodes - shape.width(more - (shelves - 1) * on_shelf)
            count += more
        if count:
            taken[shape] = count
    return Packed(taken, height)

"""Decide on which nodes, CPUs and GPUs a job runs; pure, so it is tested without a process.

Guards that no node is ever over-committed, that a job of several nodes has them to itself, and that no job
is started which cannot finish in the time left.
"""

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest

from balsam.launcher import placement_reasons
from balsam.launcher.node_account import NodeAccount, Taken
from balsam.launcher.node_search import NodeSearch
from balsam.launcher.shapes import Shape, shape_of
from balsam.platform.nodes import Node
from balsam.schemas.jobs import JobSpec

__all__ = ["Allocation", "Placement"]

#: Positions of nodes in the allocation, each with what was taken there.
_Found = Sequence[tuple[int, Taken]]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one job runs; the CPUs and GPUs are in the order of ``nodes``.

    The CPUs are those to bind to, where the job asks to be bound.
    """

    nodes: tuple[str, ...]
    cpu_ids: tuple[tuple[int, ...], ...]
    gpu_ids: tuple[tuple[str, ...], ...]
    #: Tells the placements of one allocation apart.
    serial: int = field(repr=False)


class Allocation:
    """The nodes a launcher or worker may use, and what runs on them.

    With ``gpu_per_job_default`` each job that asks for no GPU is lent one where its node has any (serial
    mode). With ``allow_unfit`` jobs start although they may not finish in the time left.
    """

    def __init__(
        self, nodes: Sequence[Node], *, gpu_per_job_default: bool = False, allow_unfit: bool = False
    ) -> None:
        if not nodes:
            raise ValueError("an allocation has at least one node")
        self._accounts = [NodeAccount(node, lends_gpus=gpu_per_job_default) for node in nodes]
        self._search = NodeSearch(self._accounts)
        self._allow_unfit = allow_unfit
        self._running: dict[int, tuple[Shape, _Found]] = {}
        self._last_serial = 0
        self._empty = set(range(len(nodes)))
        self._num_full = 0

    @property
    def accounts(self) -> Sequence[NodeAccount]:
        """The books of the nodes, for reading."""
        return self._accounts

    @property
    def num_running(self) -> int:
        """Jobs placed and not yet released."""
        return len(self._running)

    @property
    def is_full(self) -> bool:
        """No job at all can be placed before one is released."""
        return self._num_full == len(self._accounts)

    def allows_time(self, job: JobSpec, time_left_sec: float) -> bool:
        """Say whether the job may be started this long before the end."""
        return self._allow_unfit or job.wall_time_min * 60 <= time_left_sec

    def place(
        self, job: JobSpec, time_left_sec: float = math.inf, *, avoid: Container[int] = ()
    ) -> Placement | None:
        """Take what the job needs and say where; None when it cannot start now.

        The nodes at the positions ``avoid`` are left alone. What is taken stays so until :meth:`release`.
        """
        return self.place_shape(shape_of(job), avoid=avoid) if self.allows_time(job, time_left_sec) else None

    def place_shape(self, shape: Shape, *, avoid: Container[int] = ()) -> Placement | None:
        """Place a job of this shape, whatever its time; see :meth:`place`."""
        if shape.num_nodes > 1:
            found: _Found = self._take_empty_nodes(shape, avoid)
        else:
            one = self._search.take(shape, avoid)
            found = (one,) if one else ()
        return self._keep(shape, found) if found else None

    def release(self, placement: Placement) -> None:
        """Give back what a job had; raises ValueError when it has been given back already."""
        if placement.serial not in self._running:
            raise ValueError(f"not running in this allocation: {placement}")
        shape, found = self._running.pop(placement.serial)
        for position, taken in found:
            account = self._accounts[position]
            self._num_full -= account.is_full
            account.give_back(shape, taken)
            self._num_full += account.is_closed
            self._search.note_release(position)
            if not account.num_jobs and not account.is_closed:
                self._empty.add(position)

    def close_node(self, name: str) -> None:
        """Place nothing on this node any more; what runs there is released as ever."""
        for position, account in enumerate(self._accounts):
            if account.node.name == name and not account.is_closed:
                self._num_full += not account.is_full
                account.is_closed = True
                self._empty.discard(position)

    def why_impossible(self, job: JobSpec) -> str | None:
        """Say in words why the job can never be placed here, however empty the nodes; None when it can."""
        return placement_reasons.why_impossible(self._open_accounts(), shape_of(job))

    def why_not_now(self, job: JobSpec, time_left_sec: float = math.inf) -> str | None:
        """Say in words what the job waits for; None when it can be placed now."""
        impossible = self.why_impossible(job)
        if impossible:
            return impossible
        if not self.allows_time(job, time_left_sec):
            return placement_reasons.too_long(job.wall_time_min, time_left_sec)
        return placement_reasons.why_not_now(self._open_accounts(), shape_of(job))

    def _open_accounts(self) -> Sequence[NodeAccount]:
        return [account for account in self._accounts if not account.is_closed]

    def soonest(self, shape: Shape) -> frozenset[int]:
        """Choose the positions of the nodes that are likely to be free for such a job first.

        None at all when it is impossible here.
        """
        able = (p for p, account in enumerate(self._accounts) if account.could_hold(shape))
        positions = frozenset(nsmallest(shape.num_nodes, able, key=self._business))
        return positions if len(positions) == shape.num_nodes else frozenset()

    def _business(self, position: int) -> tuple[int, int]:
        account = self._accounts[position]
        return -account.free_parts, -account.free_cores

    def _take_empty_nodes(self, shape: Shape, avoid: Container[int]) -> _Found:
        if len(self._empty) < shape.num_nodes:
            return ()
        able = (p for p in self._empty if p not in avoid and self._accounts[p].could_hold(shape))
        positions = nsmallest(shape.num_nodes, able)
        if len(positions) < shape.num_nodes:
            return ()
        # a node that is empty and could hold the shape refuses nothing
        return [(p, taken) for p in positions if (taken := self._accounts[p].take(shape))]

    def _keep(self, shape: Shape, found: _Found) -> Placement:
        for position, _ in found:
            self._empty.discard(position)
            self._num_full += self._accounts[position].is_full
        self._last_serial += 1
        self._running[self._last_serial] = (shape, found)
        return Placement(
            nodes=tuple([self._accounts[position].node.name for position, _ in found]),
            cpu_ids=tuple([taken.cpu_ids for _, taken in found]),
            gpu_ids=tuple([taken.gpu_ids for _, taken in found]),
            serial=self._last_serial,
        )

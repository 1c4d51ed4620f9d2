"""Find a node for a job of one node, without asking again where it was refused.

Guards that no node where the job fits is overlooked: one that refused a shape is offered to it again as soon
as something on the node has been released.
"""

from collections.abc import Container, Sequence

from balsam.launcher.node_account import NodeAccount, Taken
from balsam.launcher.shapes import Shape

__all__ = ["NodeSearch"]

#: Positions of nodes remembered, over all shapes; and shapes remembered in any case.
_MAX_POSITIONS = 1_000_000
_MIN_SHAPES = 100


class NodeSearch:
    """Searches over the nodes of one allocation, which are named by their positions in it."""

    def __init__(self, accounts: Sequence[NodeAccount]) -> None:
        self._accounts = accounts
        self._by_shape: dict[Shape, _ShapeSearch] = {}
        self._max_shapes = max(_MIN_SHAPES, _MAX_POSITIONS // len(accounts))
        self._num_releases = 0
        #: Position -> the count of releases at its last one, in that order.
        self._released: dict[int, int] = {}

    def note_release(self, position: int) -> None:
        """Take note that something on this node has been given back."""
        self._num_releases += 1
        self._released.pop(position, None)
        self._released[position] = self._num_releases

    def take(self, shape: Shape, avoid: Container[int] = ()) -> tuple[int, Taken] | None:
        """Take what the shape needs on some node that is not one of ``avoid``."""
        search = self._updated(shape)
        for at in range(len(search.positions) - 1, -1, -1):
            position = search.positions[at]
            if position in avoid:
                continue
            taken = self._accounts[position].take(shape)
            if taken is not None:
                return position, taken
            search.leave_out(at)
        return None

    def _updated(self, shape: Shape) -> "_ShapeSearch":
        search = self._by_shape.get(shape)
        if search is None:
            if len(self._by_shape) >= self._max_shapes:
                self._by_shape.clear()
            able = [p for p, account in enumerate(self._accounts) if account.could_hold(shape)]
            search = self._by_shape[shape] = _ShapeSearch(able[::-1], self._num_releases)
        elif search.num_releases != self._num_releases:
            for position, release in reversed(self._released.items()):
                if release <= search.num_releases:
                    break
                search.offer(position)
            search.num_releases = self._num_releases
        return search


class _ShapeSearch:
    """The nodes where one shape may fit, and how many releases it has taken into account."""

    __slots__ = ("_left_out", "num_releases", "positions")

    def __init__(self, positions: list[int], num_releases: int) -> None:
        #: The next to try is the last.
        self.positions = positions
        self.num_releases = num_releases
        self._left_out: set[int] = set()

    def leave_out(self, at: int) -> None:
        """Do not try again the node that is at this index of ``positions``."""
        self._left_out.add(self.positions.pop(at))

    def offer(self, position: int) -> None:
        """Try this node again, if it had been left out."""
        if position in self._left_out:
            self._left_out.remove(position)
            self.positions.append(position)

"""Who uses which GPU of a node, by name and not by position in a list that moves when jobs end.

Guards that a whole GPU belongs to one job, and that the shares asked of one never exceed it.
"""

from balsam.launcher.shapes import GPU_PARTS

__all__ = ["GpuAccount"]


class GpuAccount:
    """The GPUs of one node.

    A GPU is used by jobs that asked for it (wholly, or for a share), or lent to jobs that asked for none
    where every job is given one: those share evenly, and never with a job that has it wholly.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._position = {name: position for position, name in enumerate(names)}
        self._asked = [0] * len(names)
        self._lent = [0] * len(names)

    def loads(self) -> dict[str, int]:
        """Parts in use of each GPU; those lent may add up to more than the whole."""
        return {name: self._load(position) for name, position in self._position.items()}

    def take(self, parts: int) -> tuple[str, ...] | None:
        """Give a job that asked for ``parts`` its GPUs, whole ones first; None when they are not free.

        A share is taken of the GPU with the least load.
        """
        whole, share = divmod(parts, GPU_PARTS)
        chosen = [position for position in self._position.values() if not self._load(position)][:whole]
        if len(chosen) < whole:
            return None
        if share:
            shared = min(
                (p for p in self._position.values() if p not in chosen), key=self._load, default=None
            )
            if shared is None or self._load(shared) + share > GPU_PARTS:
                return None
            chosen.append(shared)
        names = tuple(self._names[position] for position in chosen)
        self._book(names, parts, +1)
        return names

    def give_back(self, names: tuple[str, ...], parts: int) -> None:
        """Undo :meth:`take`."""
        self._book(names, parts, -1)

    def lend(self, parts: int) -> tuple[str, ...] | None:
        """Give a job that asked for none the GPU with the least load; None when jobs have all of them wholly.

        ``parts`` is its weight among those that share one.
        """
        open_to_all = (p for p in self._position.values() if self._asked[p] < GPU_PARTS)
        position = min(open_to_all, key=self._load, default=None)
        if position is None:
            return None
        self._lent[position] += parts
        return (self._names[position],)

    def take_back(self, names: tuple[str, ...], parts: int) -> None:
        """Undo :meth:`lend`."""
        for name in names:
            self._lent[self._position[name]] -= parts

    def _load(self, position: int) -> int:
        return self._asked[position] + self._lent[position]

    def _book(self, names: tuple[str, ...], parts: int, sign: int) -> None:
        """Add or subtract ``parts``, of which all GPUs but the last hold whole ones."""
        for name in names:
            self._asked[self._position[name]] += sign * min(parts, GPU_PARTS)
            parts -= GPU_PARTS

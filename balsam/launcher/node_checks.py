"""After a parallel job has failed: are its nodes still there?

A node that is dead would fail one job after the other. So a failure is told only when every other node of the
job has answered; and a job that failed because a node is gone is none that has failed by itself.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence

from balsam.exceptions import JobStartError
from balsam.launcher.process_start import ProcessStart
from balsam.launcher.runner import Ended, Runner

__all__ = ["NodeChecks"]

#: A node that does not answer so often in a row is dead.
_ATTEMPTS = 2
_ANSWER_SEC = 30.0
#: A node that has answered is not asked again for so long.
_FRESH_SEC = 5.0
_PREFIX = "node "


class NodeChecks:
    """Asks ``nodes``, and no others, by running nothing on them: ``start_of`` says how."""

    def __init__(
        self,
        runner: Runner,
        nodes: Iterable[str],
        start_of: Callable[[str], ProcessStart],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runner = runner
        self._nodes = frozenset(nodes)
        self._start_of = start_of
        self._clock = clock
        #: Nodes being asked: how often, and until when an answer is waited for.
        self._asked: dict[str, tuple[int, float]] = {}
        self._answered_at: dict[str, float] = {}
        #: Nodes that do not answer any more.
        self.dead: set[str] = set()

    @property
    def next_deadline(self) -> float:
        """When `kill_due` has something to do; infinity if never."""
        return min((until for _, until in self._asked.values()), default=math.inf)

    def begin(self, nodes: Sequence[str]) -> bool:
        """Ask those of the nodes that have not answered lately; False when there is nothing to wait for."""
        stale_at = self._clock() - _FRESH_SEC
        for node in self._nodes.intersection(nodes) - self.dead - self._asked.keys():
            if self._answered_at.get(node, -math.inf) < stale_at:
                self._ask(node, 1)
        return self.is_waiting(nodes) or not self.dead.isdisjoint(nodes)

    def is_waiting(self, nodes: Sequence[str]) -> bool:
        """Whether some of the nodes are still to answer."""
        return not self._asked.keys().isdisjoint(nodes)

    def note_end(self, ended: Ended) -> bool:
        """Take note of an answer; False for the end of a job."""
        if not ended.key.startswith(_PREFIX):
            return False
        node = ended.key.removeprefix(_PREFIX)
        attempt, until = self._asked.pop(node)
        is_late = self._clock() >= until
        if ended.return_code == 0:
            self._answered_at[node] = self._clock()
        elif ended.was_told and not is_late:
            pass  # the worker is stopping: nobody knows
        elif attempt < _ATTEMPTS:
            self._ask(node, attempt + 1)
        else:
            self.dead.add(node)
        return True

    def kill_due(self) -> None:
        """Wait no longer for nodes that have had their time."""
        now = self._clock()
        late = [_PREFIX + node for node, (_, until) in self._asked.items() if until <= now]
        if late:
            self._runner.terminate(late, 0.0)

    def _ask(self, node: str, attempt: int) -> None:
        try:
            self._runner.start(_PREFIX + node, self._start_of(node))
        except (JobStartError, OSError):  # this host is short of something: that says nothing of the node
            return
        self._asked[node] = (attempt, self._clock() + _ANSWER_SEC)

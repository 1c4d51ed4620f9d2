"""What a worker tells its head: gathered, and sent at once when the head can act on it.

A job's start is always told before, or together with, its end.
"""

import math
import signal
from collections.abc import Iterator

from balsam.launcher.channel import Message
from balsam.schemas.python_calls import Outcome

__all__ = ["Outbox"]

#: A worker that has enough to do gathers events for this long after it has told the last ones.
BUSY_SEC = 0.02
#: One that has not tells every event, but not each of a thousand by itself.
HUNGRY_SEC = 0.002
#: Events of one kind in one message: with 4 kB of text each, far below what the channel carries.
MAX_EVENTS = 256
#: Characters of outcomes in one message, beside those of one outcome.
MAX_OUTCOMES = 1_000_000
#: The end of a job by SIGTERM is kept so long: a scheduler that ends its batch job tells all processes, and
#: the worker may be the last to hear.
SIGNALLED_SEC = 0.25


class Outbox:
    """Events that are not sent yet; times by the worker's monotonic clock."""

    def __init__(self) -> None:
        self._started: list[tuple[str, int, float, str]] = []
        self._ended: list[tuple[str, int, int | None, float, str]] = []
        self._returned: list[tuple[str, int, str]] = []
        self._dead: list[tuple[str, str]] = []
        self._lost: list[tuple[str, int, str]] = []
        self._outcomes: list[tuple[str, int, str, str]] = []
        self._notes: list[str] = []
        self._told_at = -math.inf
        self._kept_until = -math.inf

    def start(self, job_id: str, attempt: int, when: float, where: str) -> None:
        """Note that a job has started."""
        self._started.append((job_id, attempt, when, where))

    def end(self, job_id: str, attempt: int, return_code: int | None, when: float, tail: str = "") -> None:
        """Note that a job has ended, or (``return_code`` None) why it could not be started."""
        self._ended.append((job_id, attempt, return_code, when, tail))
        if return_code in (-signal.SIGTERM, 128 + signal.SIGTERM):
            self._kept_until = when + SIGNALLED_SEC

    def keep_outcome(self, job_id: str, attempt: int, outcome: Outcome) -> None:
        """Note what a Python application has left; its end is to be told next."""
        self._outcomes.append((job_id, attempt, *outcome))

    def note(self, text: str) -> None:
        """Have the head write something into its log."""
        self._notes.append(text)

    def give_back(self, job_id: str, attempt: int, reason: str = "") -> None:
        """Note that a job goes back unstarted; with a reason if it can never start here."""
        self._returned.append((job_id, attempt, reason))

    def lose(self, job_id: str, attempt: int, reason: str) -> None:
        """Note that a started job is gone with its node."""
        self._lost.append((job_id, attempt, reason))

    def lose_node(self, node: str, reason: str) -> None:
        """Note that nothing more is started on a node."""
        self._dead.append((node, reason))

    @property
    def is_empty(self) -> bool:
        """Nothing is to be told."""
        is_untold = self._started or self._ended or self._returned or self._lost or self._dead
        return not (is_untold or self._notes)

    def due_at(self, is_hungry: bool) -> float:
        """When the events are to be sent; infinity when there are none."""
        if self.is_empty:
            return math.inf
        return max(self._kept_until, self._told_at + (HUNGRY_SEC if is_hungry else BUSY_SEC))

    def take(self, now: float) -> Iterator[Message]:
        """Take everything, as messages with ages in seconds instead of times."""
        self._told_at = now
        lost, self._lost = self._lost, []
        dead, self._dead = self._dead, []
        notes, self._notes = self._notes, []
        yield from ({"type": "note", "text": text} for text in notes)
        yield from self._take_outcomes()
        while not self.is_empty:
            started, self._started = self._started[:MAX_EVENTS], self._started[MAX_EVENTS:]
            room = 0 if self._started else MAX_EVENTS
            ended, self._ended = self._ended[:room], self._ended[room:]
            returned, self._returned = self._returned[:MAX_EVENTS], self._returned[MAX_EVENTS:]
            yield {
                "type": "events",
                "started": [[job_id, attempt, now - when, where] for job_id, attempt, when, where in started],
                "ended": [
                    [job_id, attempt, code, now - when, tail] for job_id, attempt, code, when, tail in ended
                ],
                "returned": returned,
            }
        if lost or dead:
            yield {"type": "lost", "jobs": lost, "nodes": dead}

    def _take_outcomes(self) -> Iterator[Message]:
        batch: list[tuple[str, int, str, str]] = []
        size = 0
        for outcome in self._outcomes:
            batch.append(outcome)
            size += len(outcome[2]) + len(outcome[3])
            if size > MAX_OUTCOMES:
                yield {"type": "outcomes", "jobs": batch}
                batch, size = [], 0
        if batch:
            yield {"type": "outcomes", "jobs": batch}
        self._outcomes = []

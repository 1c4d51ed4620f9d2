"""The loop that reads the queue policy when it has changed; one that is wrong never replaces a good one."""

import logging
from collections.abc import Callable
from pathlib import Path

from balsam.agent.health import Board
from balsam.config import user_settings
from balsam.config.queue_policy import QueuePolicy, ensure_policy_file, load_policy
from balsam.exceptions import ConfigError

__all__ = ["PolicyWatch"]

logger = logging.getLogger(__name__)

_PERIOD_SEC = 5.0


class PolicyWatch:
    """Has the last good policy; ``on_change`` is called when there is another.

    Raises ConfigError at the start, when there is no good one yet.
    """

    name = "policy"
    spacing_sec = 0.0

    def __init__(self, board: Board) -> None:
        self._board = board
        self.on_change: Callable[[], None] = lambda: None
        path = ensure_policy_file(user_settings())
        self._seen = _stamp(path)
        self.policy = load_policy(path)
        self._tell()

    def cycle(self) -> float:
        """Look whether the file has changed."""
        try:
            path = ensure_policy_file(user_settings())
            stamp = _stamp(path)
            if stamp != self._seen:
                self._seen = stamp
                self._replace(load_policy(path))
        except ConfigError as error:
            logger.error("The queue policy of before stays in force: %s", error)
            self._board.say(policy_problem=str(error))
        return _PERIOD_SEC

    def interrupt(self) -> None:
        """A cycle takes no time."""

    def close(self) -> None:
        """Nothing is held."""

    def _replace(self, policy: QueuePolicy) -> None:
        self.policy = policy
        self._tell()
        self.on_change()

    def _tell(self) -> None:
        open_queues = [queue.name for queue in self.policy.queues if queue.is_open]
        logger.info("Queue policy %s: open are %s", self.policy.path, ", ".join(open_queues) or "none")
        self._board.say(policy=str(self.policy.path), policy_problem="")


def _stamp(path: Path) -> tuple[str, int, int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise ConfigError(
            f"Cannot read the queue policy {path}: {error.strerror}. Correct its permissions."
        ) from error
    return str(path), status.st_mtime_ns, status.st_size, status.st_ino

"""The loop that sees to transfers: a mover that is made anew when it has ended."""

import logging

from balsam.agent.health import Board
from balsam.client import Client
from balsam.exceptions import BalsamError
from balsam.processing.transfers import Mover, MoverOptions

__all__ = ["Transferring"]

logger = logging.getLogger(__name__)

_PERIOD_SEC = 60.0
_STOP_SEC = 5.0


class Transferring:
    """Moves files for a session, and tells on the board what transfers wait for."""

    name = "transfers"
    spacing_sec = 0.5

    def __init__(self, client: Client, session_id: int, options: MoverOptions, board: Board) -> None:
        self._client = client
        self._session_id = session_id
        self._options = options
        self._board = board
        self._mover: Mover | None = None

    def cycle(self) -> float:
        """Have a mover that works."""
        if self._mover is None:
            self._mover = Mover(self._client, self._session_id, self._options, on_trouble=self._tell)
            self._mover.start()
        elif not self._mover.is_working():
            self._mover.stop(_STOP_SEC)
            self._mover = None
            raise BalsamError("Transfers had ended; they are started again.")
        return _PERIOD_SEC

    def wake(self) -> None:
        """Say that there may be transfers to do."""
        if (mover := self._mover) is not None:
            mover.wake()

    def interrupt(self) -> None:
        """The mover is ended by `close`."""

    def close(self) -> None:
        """End what runs, and hand it back."""
        if self._mover is not None and not self._mover.stop(_STOP_SEC):
            logger.warning("Not all transfers could be handed back; the next service does them again")

    def _tell(self, trouble: str) -> None:
        if trouble:
            logger.warning("Transfers wait: %s", trouble)
        self._board.say(transfers_wait_for=trouble)

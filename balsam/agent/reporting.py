"""The loop that stores what the service says of itself where `balsam service --status` finds it."""

from typing import Any

from balsam.agent.health import Board
from balsam.client import Client

__all__ = ["Reporting"]

_PERIOD_SEC = 20.0


class Reporting:
    """Stores the board in the session when it has changed."""

    name = "status"
    spacing_sec = 1.0

    def __init__(self, client: Client, session_id: int, board: Board) -> None:
        self._client = client
        self._session_id = session_id
        self._board = board
        self._stored: dict[str, Any] = {}

    def cycle(self) -> float:
        """Store once."""
        document = self._board.document()
        document["loops"] = [health for health in document["loops"] if health["name"] != self.name]
        if document != self._stored:
            self._client.tell_status(self._session_id, document)
            self._stored = document
        return _PERIOD_SEC

    def interrupt(self) -> None:
        """A cycle takes no time."""

    def close(self) -> None:
        """Nothing is held."""

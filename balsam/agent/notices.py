"""The loop that waits for word from the database, so that nothing else has to ask."""

import contextlib
from collections.abc import Callable

from balsam.client import Client, Listener
from balsam.exceptions import UnreachableError

__all__ = ["EVERYTHING", "Notices"]

#: Notices may have been missed: look at everything.
EVERYTHING = "everything"
_WAIT_SEC = 60.0


class Notices:
    """Calls ``on_topics`` with what came."""

    name = "notices"
    spacing_sec = 0.0

    def __init__(self, client: Client, on_topics: Callable[[list[str]], None]) -> None:
        self._client = client
        self._on_topics = on_topics
        self._listener: Listener | None = None
        self._is_stopped = False

    def cycle(self) -> float:
        """Wait once."""
        if self._listener is None:
            self._listener = self._client.listen()
            self._on_topics([EVERYTHING])
        try:
            if not self._is_stopped and (topics := self._listener.wait(_WAIT_SEC)):
                self._on_topics(topics)
        except UnreachableError:
            self.close()
            raise
        return 0.0

    def interrupt(self) -> None:
        """End the wait."""
        self._is_stopped = True
        if (listener := self._listener) is not None:
            with contextlib.suppress(OSError):  # it has just been closed
                listener.wake()

    def close(self) -> None:
        """Close the connection that listens."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

"""Bring the core's notices to the event loop, from a thread that does nothing but wait for them."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable

from balsam.client import Client, Listener
from balsam.exceptions import LoginNeededError, UnreachableError

__all__ = ["EVERYTHING", "Watcher"]

logger = logging.getLogger(__name__)

#: Notices may have been missed: look at everything.
EVERYTHING = "everything"
_LOOK_SEC = 30.0


class Watcher:
    """Calls ``on_topics`` in the event loop with what came; `EVERYTHING` after a broken connection."""

    def __init__(self, client: Client, on_topics: Callable[[list[str]], None]) -> None:
        self._client = client
        self._on_topics = on_topics
        self._loop = asyncio.get_running_loop()
        self._stopped = threading.Event()
        self._listener: Listener | None = None
        self._thread = threading.Thread(target=self._watch, name="balsam-notices", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching and wait for the thread."""
        self._stopped.set()
        listener = self._listener
        if listener is not None:
            with contextlib.suppress(OSError):  # it has just been closed: nobody waits on it
                listener.wake()
        self._thread.join(timeout=5)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listener = self._client.listen()
                self._tell([EVERYTHING])
                self._pass_on(self._listener)
            except (UnreachableError, LoginNeededError) as error:
                logger.warning("%s", error)
                self._stopped.wait(1.0)
            finally:
                listener, self._listener = self._listener, None
                if listener is not None:
                    listener.close()

    def _pass_on(self, listener: Listener) -> None:
        while not self._stopped.is_set():
            topics = listener.wait(_LOOK_SEC)
            self._tell(topics or [EVERYTHING])

    def _tell(self, topics: list[str]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to tell
            self._loop.call_soon_threadsafe(self._on_topics, topics)

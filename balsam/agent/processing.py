"""The loop that sees to hooks and links: a processor that is made anew when it has ended."""

import logging
from collections.abc import Callable

from balsam.client import Client
from balsam.exceptions import BalsamError
from balsam.processing import Processor
from balsam.schemas.sessions import Selection

__all__ = ["Processing"]

logger = logging.getLogger(__name__)

_PERIOD_SEC = 60.0
_STOP_SEC = 5.0


class Processing:
    """Runs hooks and makes links for a session; ``on_progress`` is called when steps have been reported."""

    name = "processing"
    spacing_sec = 0.5

    def __init__(
        self,
        client: Client,
        session_id: int,
        on_progress: Callable[[], None],
        *,
        selection: Selection,
        concurrency: int,
    ) -> None:
        self._client = client
        self._selection = selection
        self._concurrency = concurrency
        self._session_id = session_id
        self._on_progress = on_progress
        self._processor: Processor | None = None
        self._is_in_doubt = False

    def cycle(self) -> float:
        """Have a processor that works, end steps that were revoked, and free what nobody here knows of."""
        if self._processor is None:
            self._processor = self._started()
        elif not self._processor.is_working():
            self._processor.stop(_STOP_SEC)
            self._processor = None
            raise BalsamError("Hooks and staging had ended; they are started again.")
        is_in_doubt, self._is_in_doubt = self._is_in_doubt, False
        if is_in_doubt and (held := self._processor.held_ids()):
            self._processor.lost(self._client.lost(self._session_id, held))
        with self._processor.holding() as known:
            if freed := self._client.reconcile(self._session_id, known):
                logger.warning("%d jobs were claimed without the service's knowledge; they are free", freed)
        return _PERIOD_SEC

    def wake(self) -> None:
        """Say that there may be steps to do."""
        if (processor := self._processor) is not None:
            processor.wake()

    def doubt(self) -> None:
        """Say that jobs may have been taken away; the next cycle asks which."""
        self._is_in_doubt = True

    def interrupt(self) -> None:
        """The processor is ended by `close`."""

    def close(self) -> None:
        """End what runs, and hand it back."""
        if self._processor is not None and not self._processor.stop(_STOP_SEC):
            logger.warning(
                "Not all hooks and transfers could be handed back; the next service does them again"
            )

    def _started(self) -> Processor:
        processor = Processor(
            self._client,
            self._session_id,
            concurrency=self._concurrency,
            selection=self._selection,
            on_reported=lambda reply: self._on_progress(),
            moves_files=False,
        )
        processor.start()
        return processor

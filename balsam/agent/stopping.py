"""Why and when the service ends: signals and a lost lease, waited for by the main thread."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

__all__ = ["Reason", "Stopping"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the loops are to end."""

    text: str
    #: The session was lost, and the service goes on with another one.
    is_lost: bool = False


class Stopping:
    """Collects reasons to stop; may be told from signal handlers and from any thread."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._reasons: list[Reason] = []

    def wait(self) -> Reason:
        """Wait for a reason, and return it; being told to stop wins over a lost session."""
        while not self._reasons:
            select.select([self._read], [], [])
            os.read(self._read, 4096)
        reasons, self._reasons = self._reasons, []
        return next((reason for reason in reasons if not reason.is_lost), reasons[0])

    def lost(self, why: str) -> None:
        """Say that the session is gone."""
        self._tell(Reason(f"The session was lost ({why})", is_lost=True))

    def forget_losses(self) -> None:
        """Forget lost sessions: several loops may have found one lost, and there is a new one."""
        self._reasons = [reason for reason in self._reasons if not reason.is_lost]

    @contextmanager
    def on_signals(self, *, hangup_ends: bool) -> Iterator[None]:
        """End on SIGTERM and SIGINT; on SIGHUP only if that is said, else pay no attention to it."""
        numbers = [signal.SIGTERM, signal.SIGINT]
        former = {number: signal.signal(number, self._on_signal) for number in numbers}
        # A handler that does nothing: unlike SIG_IGN, it is not passed on to the programs that are started.
        hangup = self._on_signal if hangup_ends else _pay_no_attention
        former[signal.SIGHUP] = signal.signal(signal.SIGHUP, hangup)
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._tell(Reason(f"The service was stopped by {signal.Signals(number).name}"))

    def _tell(self, reason: Reason) -> None:
        self._reasons.append(reason)
        os.write(self._write, b"r")


def _pay_no_attention(number: int, frame: FrameType | None) -> None:
    """Do nothing."""

"""Tell one step to end before it is done, and wake it where it waits.

A step that was told leaves nothing running, and nothing half-written under a name that others read.
"""

import threading

from balsam.exceptions import StepInterrupted, StepUnwanted

__all__ = ["GRACE_SEC", "Interruption"]

#: Time a hook has between SIGTERM and SIGKILL.
GRACE_SEC = 5.0


class Interruption:
    """One step's word to end early; set by any thread, looked at by the step's own."""

    def __init__(self) -> None:
        self.grace_sec = GRACE_SEC
        self._is_unwanted = False
        self._event = threading.Event()
        self._wakers: list[threading.Event] = []

    @property
    def is_set(self) -> bool:
        """Say whether the step is to end."""
        return self._event.is_set()

    def set(self, grace_sec: float = GRACE_SEC, *, is_unwanted: bool = False) -> None:
        """Have the step end; its hook, if it runs one, has ``grace_sec`` between SIGTERM and SIGKILL.

        ``is_unwanted``: nobody is to do it again.
        """
        self.grace_sec = min(self.grace_sec, grace_sec)
        self._is_unwanted |= is_unwanted
        self._event.set()
        for waker in list(self._wakers):
            waker.set()

    def check(self) -> None:
        """Raise StepInterrupted when the step is to end, StepUnwanted when nobody is to do it again."""
        if self._event.is_set():
            raise StepUnwanted if self._is_unwanted else StepInterrupted

    def wait(self, timeout_sec: float) -> None:
        """Let time pass; raises StepInterrupted as soon as the step is to end."""
        self._event.wait(timeout_sec)
        self.check()

    def wakes(self, waker: threading.Event) -> None:
        """From now on set ``waker``, too, when the step is to end."""
        self._wakers.append(waker)
        if self._event.is_set():
            waker.set()

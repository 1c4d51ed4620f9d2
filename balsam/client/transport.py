"""How a call reaches the core. The in-process transport calls the operation directly."""

import importlib
from typing import Any, Protocol

_OPERATIONS = "balsam.core.operations"
_LISTENER = "balsam.core.listening"


class Listener(Protocol):
    """A stream of notices: 'work', 'transfers', 'end', 'lost <session>' (see `balsam.core.notices`)."""

    def wait(self, timeout_sec: float) -> list[str]:
        """Return the topics that came, waiting at most this long for the first; [] when none came."""
        ...

    def wake(self) -> None:
        """Make a `wait` in another thread return at once."""
        ...

    def close(self) -> None:
        """Stop listening."""
        ...


class Transport(Protocol):
    """What a client needs of a connection to the core."""

    def call(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Run an operation and return its reply."""
        ...

    def listen(self) -> Listener:
        """Open a stream of notices."""
        ...

    def set_patience(self, is_patient: bool) -> None:
        """Say whether to wait for a database that is down, and restart it where this process may."""
        ...

    def close(self) -> None:
        """Give back this thread's connection."""
        ...


class InProcess:
    """The core in this very process, on the active database. Django is loaded at the first call."""

    def call(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Run an operation in this thread."""
        return importlib.import_module(_OPERATIONS).call(operation, *args, **kwargs)

    def listen(self) -> Listener:
        """Open a connection that listens for notices."""
        listener: Listener = importlib.import_module(_LISTENER).DatabaseListener()
        return listener

    def set_patience(self, is_patient: bool) -> None:
        """Wait for, and revive, a database that is down; or do not."""
        importlib.import_module(_LISTENER).set_patience(is_patient)

    def close(self) -> None:
        """Close this thread's connection."""
        importlib.import_module(_LISTENER).close_connection()

"""What a client shows a server: a token, or the login in client.yml, which is renewed when it is over.

Many processes share that login, on several nodes. So one of them renews it, behind a lock, and writes the
file at once; whoever is refused looks there first.
"""

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from balsam.config.client_file import ClientSettings, client_path
from balsam.exceptions import BalsamError, LoginNeededError, ServerUnreachable
from balsam.lib.file_locks import file_lock

__all__ = ["Credentials", "FixedToken", "RefreshRefused", "StoredLogin", "with_tokens"]

#: Longer than a process asks a server that does not answer.
_LOCK_SEC = 900.0
#: Exchanges a refresh token; returns the server's reply, or raises RefreshRefused.
Renewer = Callable[[str], dict[str, Any]]


class Credentials(Protocol):
    """What is sent to a server to be let in."""

    def token(self) -> str:
        """Return the token to send; '' for none."""
        ...

    def renew(self, refused: str, renewer: Renewer) -> bool:
        """Say whether there is another token than the one that was refused."""
        ...


class FixedToken:
    """A token that is not renewed."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        """Return it."""
        return self._token

    def renew(self, refused: str, renewer: Renewer) -> bool:
        """There is no other."""
        return False


class RefreshRefused(BalsamError):
    """The server does not take the refresh token."""


class StoredLogin:
    """The login in client.yml, for all threads of a process and its children."""

    def __init__(self, login: ClientSettings, path: Path | None = None) -> None:
        self._path = path or client_path()
        self._login = login
        self._locks: dict[int, threading.Lock] = {}  # of each process: a child may be forked while it is held

    def token(self) -> str:
        """Return the token as it was last seen."""
        return self._login.token

    def renew(self, refused: str, renewer: Renewer) -> bool:
        """Take over what another process has renewed, or renew it.

        False when the login is over. Raises ServerError when the server does not answer, LoginNeededError
        when the file is now somebody else's login, or cannot be written.
        """
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            if self._has_other_than(refused):
                return True
            try:
                with file_lock(self._path.with_name(f".{self._path.name}.lock"), _LOCK_SEC):
                    return self._has_other_than(refused) or self._renewed(refused, renewer)
            except TimeoutError as error:
                raise ServerUnreachable(
                    f"Another process has renewed the login for long: {error}."
                ) from error
            except OSError as error:
                raise LoginNeededError(
                    f"The login has expired, and cannot be renewed: {self._path} cannot be written ({error})."
                ) from error

    def _has_other_than(self, refused: str) -> bool:
        """Read the file; say whether it has another token, of the same account."""
        if self._login.token != refused:
            return True  # another thread was faster
        found = ClientSettings.load_from_file(self._path)
        if found is None or not found.token:
            raise LoginNeededError("You have been logged out. Type `balsam login`.")
        if (found.api_root, found.username) != (self._login.api_root, self._login.username):
            raise LoginNeededError(
                f"{self._path} is now the login of {found.username or 'somebody'} at {found.api_root}; this "
                f"began as {self._login.username or 'somebody'} at {self._login.api_root}. Start it anew."
            )
        self._login = found
        return found.token != refused

    def _renewed(self, refused: str, renewer: Renewer) -> bool:
        """Exchange the refresh token, and write the new ones: until they are used, the old one works."""
        if not self._login.refresh_token:
            return False
        try:
            reply = renewer(self._login.refresh_token)
        except RefreshRefused:
            return self._has_other_than(refused)  # written by a node that this one cannot lock out
        renewed = with_tokens(self._login, reply)
        renewed.save_to_file(self._path)
        self._login = renewed
        return True


def with_tokens(login: ClientSettings, reply: dict[str, Any]) -> ClientSettings:
    """Return a login with the tokens of a server's reply."""
    return replace(
        login,
        token=str(reply["access_token"]),
        token_expiry=datetime.fromisoformat(reply["expiration"]),
        refresh_token=str(reply.get("refresh_token") or ""),
    )

"""The core behind a server: calls become requests, and what the server says of errors becomes errors again.

Only what may pass is sent again: broken connections, 429 and 5xx, with pauses that grow and are not the same
for all. Objects are made with a key, so that a request whose reply was lost makes nothing twice.
"""

import os
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from balsam import exceptions
from balsam.client.transport import Listener
from balsam.exceptions import BalsamError, LoginNeededError, ServerError
from balsam.schemas.resources import RESOURCES, Page, Query, Record, UpdateReply

if TYPE_CHECKING:
    import httpx

__all__ = ["Http"]

_TRIES = 6
_LONGEST_PAUSE_SEC = 20.0
_CONNECT_SEC = 6.2
_READ_SEC = 120.0
_POLL_SEC = 30.0


class Http:
    """A server at an address, for whoever a token belongs to."""

    def __init__(self, address: str, token: str = "", *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.address = address.rstrip("/")
        self._token = token
        self._sleep = sleep
        self._clients: dict[int, httpx.Client] = {}

    # -- operations ----------------------------------------------------------------------------------

    def call(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Run an operation; raises what the operation raises, LoginNeededError, ServerError."""
        found = _OPERATIONS.get(operation)
        if found is None:
            raise ServerError(f"{operation} is not offered by servers yet; it works on one's own database.")
        return found(self, *args, **kwargs)

    def _list(self, _: object, resource: str, query: Query) -> Page:
        reply = self.request("GET", RESOURCES[resource].path, params=_params(query))
        return Page(reply["count"], reply["results"])

    def _count_by(self, _: object, resource: str, query: Query, column: str) -> dict[str, int]:
        params = [*_params(query), ("by", column)]
        counts: dict[str, int] = self.request("GET", f"{RESOURCES[resource].path}counts", params=params)
        return counts

    def _create(self, _: object, resource: str, records: Sequence[Record]) -> list[Record]:
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        made: list[Record] = self.request(
            "POST", RESOURCES[resource].path, json=list(records), headers=headers
        )
        return made

    def _update(self, _: object, resource: str, patches: Mapping[int, Record]) -> UpdateReply:
        body = [{**patch, "id": number} for number, patch in patches.items()]
        return _outcome(self.request("PATCH", RESOURCES[resource].path, json=body))

    def _update_where(self, _: object, resource: str, query: Query, patch: Record) -> UpdateReply:
        return _outcome(self.request("PUT", RESOURCES[resource].path, params=_params(query), json=patch))

    def _delete_where(self, _: object, resource: str, query: Query) -> int:
        reply = self.request("DELETE", RESOURCES[resource].path, params=_params(query))
        return int(reply["deleted"])

    # -- notices -------------------------------------------------------------------------------------

    def listen(self) -> Listener:
        """Return a stream of notices, by long polls."""
        return _Poll(self)

    def set_patience(self, is_patient: bool) -> None:
        """Do nothing: how long a server is waited for does not depend on who waits."""

    def close(self) -> None:
        """Close this process's connections."""
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()

    # -- requests ------------------------------------------------------------------------------------

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request, again where that may help, and return what the JSON of the answer holds."""
        import httpx

        for tries_left in reversed(range(_TRIES)):
            try:
                answer = self._client().request(method, path, **options)
            except httpx.TransportError as error:
                problem = f"The server {self.address} cannot be reached: {error or type(error).__name__}."
                hint = " Check the address with `balsam auth status`."
                self._pause_or_raise(tries_left, ServerError(problem + hint), None)
                continue
            if answer.status_code == 429 or answer.status_code >= 500:
                self._pause_or_raise(tries_left, _error(answer), answer.headers.get("Retry-After"))
                continue
            if answer.is_error:
                raise _error(answer)
            return answer.json() if answer.content else None
        raise AssertionError("the last try returns or raises")

    def _pause_or_raise(self, tries_left: int, error: BalsamError, retry_after: str | None) -> None:
        if not tries_left:
            raise error
        longest = min(_LONGEST_PAUSE_SEC, 0.5 * 2.0 ** (_TRIES - tries_left))
        told = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
        self._sleep(max(min(told, _LONGEST_PAUSE_SEC), random.uniform(0.1, longest)))

    def _client(self) -> "httpx.Client":
        """Return the client of this process: connections do not outlive a fork."""
        import httpx

        if os.getpid() not in self._clients:
            headers = {"User-Agent": f"balsam on {os.uname().nodename}"}
            if self._token:
                headers["Authorization"] = f"Bearer {self._token}"
            timeout = httpx.Timeout(_READ_SEC, connect=_CONNECT_SEC)
            self._clients[os.getpid()] = httpx.Client(base_url=self.address, headers=headers, timeout=timeout)
        return self._clients[os.getpid()]


class _Poll:
    """Notices of a server. `wait` may be called by one thread; `wake` ends nothing that is under way."""

    def __init__(self, server: Http) -> None:
        self._server = server
        self._last: int = server.request("GET", "/notices")["last"]

    def wait(self, timeout_sec: float) -> list[str]:
        """Return the topics that came, waiting at most this long for the first; [] when none came."""
        params = {"after": self._last, "timeout_sec": min(max(timeout_sec, 0.0), _POLL_SEC)}
        reply = self._server.request("GET", "/notices", params=params)
        self._last = reply["last"]
        topics: list[str] = reply["topics"]
        return topics

    def wake(self) -> None:
        """Do nothing: a poll ends by itself."""

    def close(self) -> None:
        """Do nothing: there is nothing open between polls."""


def _params(query: Query) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in query.filters.items():
        if isinstance(value, Mapping):
            found += [(name, f"{key}:{item}") for key, item in value.items()]
        elif isinstance(value, list | tuple | set):
            found += [(name, _param(item)) for item in value]
        else:
            found.append((name, _param(value)))
    if query.order_by:
        found.append(("ordering", query.order_by))
    if query.limit is not None:
        found.append(("limit", str(query.limit)))
    if query.offset:
        found.append(("offset", str(query.offset)))
    return found


def _param(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _outcome(reply: Mapping[str, Any]) -> UpdateReply:
    refused = {int(number): reason for number, reason in reply["refused"].items()}
    return UpdateReply(tuple(reply["changed"]), refused)


def _error(answer: "httpx.Response") -> BalsamError:
    """Return the error that an answer tells of, as the class it was."""
    try:
        body = answer.json()
        text, name = str(body["detail"]), str(body.get("error", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        text, name = f"The server answered {answer.status_code}: {answer.text[:200]}", ""
    if answer.status_code == 401:
        return LoginNeededError(text)
    kind = getattr(exceptions, name, ServerError)
    is_ours = isinstance(kind, type) and issubclass(kind, BalsamError)
    return kind(text) if is_ours else ServerError(text)


_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "resources.list": Http._list,
    "resources.count_by": Http._count_by,
    "resources.create": Http._create,
    "resources.update": Http._update,
    "resources.update_where": Http._update_where,
    "resources.delete_where": Http._delete_where,
}

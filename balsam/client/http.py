"""The core behind a server: calls become requests, and what the server says of errors becomes errors again.

Only what may pass is sent again: broken connections, 429 and 5xx, with pauses that grow and are not the same
for all. Objects are made with a key, so that a request whose reply was lost makes nothing twice.
"""

import itertools
import logging
import os
import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from balsam import exceptions
from balsam.client import wire_query
from balsam.client.credentials import Credentials, FixedToken, RefreshRefused, StoredLogin
from balsam.client.polling import Polling
from balsam.client.transport import Listener
from balsam.config.client_file import ClientSettings
from balsam.exceptions import BalsamError, LoginNeededError, ServerError, ServerUnreachable
from balsam.schemas.acquisition import AcquireRequest
from balsam.schemas.explanations import Explanation
from balsam.schemas.fields import Record
from balsam.schemas.operations import OPERATIONS
from balsam.schemas.resources import RESOURCES, DeleteReply, Page, Query, UpdateReply

if TYPE_CHECKING:
    import httpx

__all__ = ["Http", "error_of", "server_of"]

logger = logging.getLogger(__name__)

#: The first token may be over, and the one that another process has left in the file as well.
_RENEWALS = 3
#: How long a request is sent again: of a script, and of what has time and jobs that run meanwhile.
_PATIENCE_SEC = 20.0
_LONG_PATIENCE_SEC = 600.0
_LONGEST_PAUSE_SEC = 10.0
_CONNECT_SEC = 6.2
_READ_SEC = 120.0
#: Of launchers and agents, which have to end in time.
_OPERATION_SEC = 30.0
#: Seconds to connect, read, write, and find a connection.
_Timeouts = tuple[float, float, float, float]


class Http:
    """A server at an address, for whoever a token belongs to.

    ``settings`` are those of its login: how long to wait, how often to ask, and whom to believe.
    """

    def __init__(
        self,
        address: str,
        token: str | Credentials = "",
        *,
        settings: ClientSettings | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = address.rstrip("/")
        self.credentials = FixedToken(token) if isinstance(token, str) else token
        self._settings = settings or ClientSettings(api_root=self.address)
        self._read_sec = self._settings.read_timeout or _READ_SEC
        self._sleep = sleep
        self._patience_sec = _PATIENCE_SEC
        #: In the place of that time, where the settings say so.
        self._retries = self._settings.retry_count
        self._clients: dict[int, httpx.Client] = {}

    # -- operations ----------------------------------------------------------------------------------

    def call(self, operation: str, *args: Any, **kwargs: Any) -> Any:
        """Run an operation; raises what the operation raises, LoginNeededError, ServerUnreachable."""
        if operation in OPERATIONS:
            return self._operate(operation, args, kwargs)
        return _OF_RESOURCES[operation](self, *args, **kwargs)

    def _operate(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        from balsam.schemas import codec

        headers = {"Content-Type": "application/json"}
        if OPERATIONS[name].makes:
            headers |= _new_key()
        body = codec.encode_arguments(name, args, kwargs)
        timeout = self._timeouts(min(self._read_sec, _OPERATION_SEC))
        answer = self.send("POST", f"/operations/{name}", content=body, headers=headers, timeout=timeout)
        try:
            return codec.decode_reply(name, answer.content)
        except ValueError as error:
            raise ServerError(
                f"The server {self.address} gave an answer to {name} that cannot be read: {error}. "
                "It may be of another version: see `balsam --version` on both sides."
            ) from error

    def _list(self, _: object, resource: str, query: Query) -> Page:
        path, params = RESOURCES[resource].path, wire_query.params(query)
        if wire_query.is_long(params):
            reply = self.request("POST", f"{path}query", json=wire_query.body(query))
        else:
            reply = self.request("GET", path, params=params)
        return Page(reply["count"], reply["results"], reply["next"])

    def _count_by(self, _: object, resource: str, query: Query, column: str) -> dict[str, int]:
        path, params, by = f"{RESOURCES[resource].path}counts", wire_query.params(query), ("by", column)
        counts: dict[str, int]
        if wire_query.is_long(params):
            counts = self.request("POST", path, params=[by], json=wire_query.body(query))
        else:
            counts = self.request("GET", path, params=[*params, by])
        return counts

    def _create(self, _: object, resource: str, records: Sequence[Record]) -> list[Record]:
        made: list[Record] = self.request(
            "POST", RESOURCES[resource].path, json=list(records), headers=_new_key()
        )
        return made

    def _update(self, _: object, resource: str, patches: Mapping[int, Record]) -> UpdateReply:
        body = [{**patch, "id": number} for number, patch in patches.items()]
        return _outcome(self.request("PATCH", RESOURCES[resource].path, json=body))

    def _update_where(self, _: object, resource: str, query: Query, patch: Record) -> UpdateReply:
        changed: list[int] = []
        refused: dict[int, str] = {}
        for part in wire_query.parts(resource, query):
            reply = _outcome(
                self.request("PUT", RESOURCES[resource].path, params=wire_query.params(part), json=patch)
            )
            changed += reply.changed
            refused.update(reply.refused)
        return UpdateReply(tuple(dict.fromkeys(changed)), refused)

    def _delete_where(self, _: object, resource: str, query: Query) -> DeleteReply:
        deleted, refused = 0, {}
        for part in wire_query.parts(resource, query):
            reply = self.request("DELETE", RESOURCES[resource].path, params=wire_query.params(part))
            deleted += reply["deleted"]
            refused.update(_reasons(reply["refused"]))
        return DeleteReply(deleted, refused)

    def _acquire(self, _: object, session_id: int, request: AcquireRequest) -> list[Record]:
        path = f"{RESOURCES['session'].path}{session_id}"
        jobs: list[Record] = self.request("POST", path, json=asdict(request), headers=_new_key())
        return jobs

    def _tick(self, _: object, session_id: int) -> None:
        self.request("PUT", f"{RESOURCES['session'].path}{session_id}")

    def _explain(self, _: object, number: int) -> Explanation:
        reply = self.request("GET", f"{RESOURCES['job'].path}{number}/explanation")
        return Explanation(**{**reply, "details": tuple(reply["details"])})

    # -- notices -------------------------------------------------------------------------------------

    def listen(self) -> Listener:
        """Return a stream of notices, by long polls."""
        return Polling(self._poll)

    def _poll(self, after: int, timeout_sec: float) -> tuple[list[str], int]:
        """Wait for notices after a number; return their topics, and the number of the last."""
        params = {"after": after, "timeout_sec": timeout_sec}
        timeout = self._timeouts(self._read_sec + timeout_sec)
        reply = self.request("GET", "/notices", params=params, timeout=timeout)
        return reply["topics"], reply["last"]

    def set_patience(self, is_patient: bool) -> None:
        """Send requests again for long, as one does whose jobs run meanwhile; or not at all."""
        self._patience_sec, self._retries = _LONG_PATIENCE_SEC if is_patient else 0.0, None

    def close(self) -> None:
        """Do nothing: the threads of a process share its connections."""

    # -- requests ------------------------------------------------------------------------------------

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request, again where that may help, and return what the JSON of the answer holds."""
        answer = self.send(method, path, **options)
        return answer.json() if answer.content else None

    def send(self, method: str, path: str, **options: Any) -> "httpx.Response":
        """Send a request, again where that may help, and return the answer, which is no error.

        Raises ServerUnreachable when there is none for so long, and the error that the server tells of.
        """
        answer = self.ask(method, path, **options)
        if answer.is_error:
            raise error_of(answer)
        return answer

    def ask(self, method: str, path: str, **options: Any) -> "httpx.Response":
        """Send a request, with a new token when the first is over; return the answer, be it an error."""
        for _ in range(_RENEWALS):
            token = self.credentials.token()
            answer = self._ask(token, method, path, **options)
            if answer.status_code != 401 or not token or not self.credentials.renew(token, self._renew):
                break
        return answer

    def _renew(self, refresh_token: str) -> dict[str, Any]:
        """Exchange a refresh token; raises RefreshRefused."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        answer = self._ask("", "POST", "/auth/token", data=form)
        if answer.status_code in (400, 401):
            raise RefreshRefused
        if answer.is_error:
            raise error_of(answer)
        reply: dict[str, Any] = answer.json()
        return reply

    def _ask(self, token: str, method: str, path: str, **options: Any) -> "httpx.Response":
        import httpx

        headers = {**options.pop("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        waited_sec, longest_sec, told = 0.0, 0.5, None
        for sent_again in itertools.count():
            try:
                answer = self._client().request(method, path, headers=headers, **options)
            except httpx.TransportError as error:
                words = str(error) or type(error).__name__
                problem = f"The server {self.address} does not answer: {words}. See `balsam auth status`."
            else:
                is_busy = answer.status_code == 429 and self._patience_sec > 0
                if not (is_busy or answer.status_code >= 500):
                    break
                problem, told = str(error_of(answer)), answer.headers.get("Retry-After")
            pause_sec = _pause_sec(longest_sec, told)
            is_over = waited_sec + pause_sec > self._patience_sec
            if is_over if self._retries is None else sent_again >= self._retries:
                raise ServerUnreachable(problem)
            logger.warning("%s It is asked again in %.1f s.", problem, pause_sec)
            self._sleep(pause_sec)
            waited_sec, longest_sec = waited_sec + pause_sec, 2 * longest_sec
        return answer

    def _timeouts(self, read_sec: float) -> _Timeouts:
        """Return how long to wait for what, where an answer may take so long."""
        return (self._settings.connect_timeout or _CONNECT_SEC, read_sec, read_sec, read_sec)

    def _client(self) -> "httpx.Client":
        """Return the client of this process: connections do not outlive a fork."""
        import httpx

        from balsam.client.trust import trust

        if os.getpid() not in self._clients:
            headers = {"User-Agent": f"balsam on {os.uname().nodename}"}
            self._clients[os.getpid()] = httpx.Client(
                base_url=self.address,
                headers=headers,
                timeout=self._timeouts(self._read_sec),
                verify=trust(self._settings.ca_file),
            )
        return self._clients[os.getpid()]


def server_of(login: ClientSettings) -> Http:
    """Return the server of a stored login, which is renewed in its file when it is over."""
    return Http(login.api_root, StoredLogin(login), settings=login)


def _pause_sec(longest_sec: float, told: str | None) -> float:
    """Return a pause that is not the same for all, but no shorter than the server asks for."""
    asked_sec = float(told) if told and told.isdecimal() else 0.0
    drawn_sec = random.uniform(0.1, min(longest_sec, _LONGEST_PAUSE_SEC))
    return max(min(asked_sec, _LONGEST_PAUSE_SEC), drawn_sec)


def _new_key() -> dict[str, str]:
    """Return the header by which a server knows a request that comes twice."""
    return {"Idempotency-Key": secrets.token_hex(16)}


def _outcome(reply: Mapping[str, Any]) -> UpdateReply:
    return UpdateReply(tuple(reply["changed"]), _reasons(reply["refused"]))


def _reasons(refused: Mapping[str, str]) -> dict[int, str]:
    return {int(number): reason for number, reason in refused.items()}


def error_of(answer: "httpx.Response") -> BalsamError:
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


_OF_RESOURCES: Mapping[str, Callable[..., Any]] = {
    "resources.list": Http._list,
    "resources.count_by": Http._count_by,
    "resources.create": Http._create,
    "resources.update": Http._update,
    "resources.update_where": Http._update_where,
    "resources.delete_where": Http._delete_where,
    "resources.acquire": Http._acquire,
    "resources.tick": Http._tick,
    "resources.explain_job": Http._explain,
}

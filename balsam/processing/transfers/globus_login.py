"""The user's login to Globus: tokens in ``~/.balsam/globus.cfg``, which agents refresh.

One login serves all sites of a user on a machine. Nothing is asked here but by `balsam site globus-login`.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from balsam.config.home import balsam_home
from balsam.exceptions import ConfigError, LoginRefusedError, TransferWait
from balsam.lib.atomic import write_atomically
from balsam.lib.file_locks import file_lock

if TYPE_CHECKING:
    import globus_sdk

__all__ = ["COMMAND", "GlobusFlow", "GlobusLogin", "login_file", "read_login", "transfer_client"]

_RESOURCE = "transfer.api.globus.org"
_PATIENCE_SEC = 10.0
COMMAND = "balsam site globus-login"


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobusLogin:
    """What is kept of a login; ``consents``: endpoints whose data it is for."""

    client_id: str
    refresh_token: str
    access_token: str
    expires_at_seconds: int
    consents: tuple[str, ...] = ()


def require_sdk() -> None:
    """Raise ConfigError where the SDK is not installed."""
    try:
        import globus_sdk  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"Transfers by Globus need its SDK, which cannot be imported ({error}). "
            "Install it where the agent runs: `pip install 'balsam[globus]'`."
        ) from error


def login_file() -> Path:
    """Return the file of the login, which need not exist."""
    return balsam_home() / "globus.cfg"


def read_login() -> GlobusLogin | None:
    """Return the login; None: there is none. Raises ConfigError for a file that is none of ours."""
    path = login_file()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return GlobusLogin(**{**found, "consents": tuple(found["consents"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(
            f"{path} is no login to Globus: {error}. Delete it, and type `{COMMAND}`."
        ) from error


def transfer_client() -> "globus_sdk.TransferClient":
    """Return who asks Globus, with the user's login; raises TransferWait where there is none."""
    require_sdk()
    import globus_sdk

    login = read_login()
    if login is None:
        words = f"There is no login to Globus.\nLog in, and it goes on: `{COMMAND}`."
        raise TransferWait(words, needs_you=True)
    authorizer = globus_sdk.RefreshTokenAuthorizer(
        login.refresh_token,
        globus_sdk.NativeAppAuthClient(login.client_id, retry_config=_retries()),
        access_token=login.access_token,
        expires_at=login.expires_at_seconds,
        on_refresh=lambda answer: _keep_refreshed(login, answer),
    )
    return globus_sdk.TransferClient(authorizer=authorizer, retry_config=_retries())


class GlobusFlow:
    """One login: a link for a browser, and the code that is shown there at its end."""

    def __init__(self, client_id: str, consents: Iterable[str]) -> None:
        require_sdk()
        from globus_sdk import NativeAppAuthClient
        from globus_sdk.scopes import GCSCollectionScopes, TransferScopes

        self._consents = tuple(dict.fromkeys(consents))
        self._client = NativeAppAuthClient(client_id)
        wanted = TransferScopes.all.with_dependencies(
            GCSCollectionScopes(endpoint).data_access.with_optional(True) for endpoint in self._consents
        )
        self._client.oauth2_start_flow(wanted, refresh_tokens=True, prefill_named_grant="Balsam")
        self.link = self._client.oauth2_get_authorize_url()

    def finish(self, code: str) -> GlobusLogin:
        """Take the code, and keep the login; raises LoginRefusedError."""
        from globus_sdk import GlobusError

        try:
            answer = self._client.oauth2_exchange_code_for_tokens(code)
        except GlobusError as error:
            raise LoginRefusedError(f"Globus does not take the code: {error}. Begin again.") from error
        tokens = answer.by_resource_server[_RESOURCE]
        login = GlobusLogin(
            client_id=str(self._client.client_id),
            refresh_token=tokens["refresh_token"],
            access_token=tokens["access_token"],
            expires_at_seconds=tokens["expires_at_seconds"],
            consents=self._consents,
        )
        with _locked():
            _write(login)
        return login


def _keep_refreshed(login: GlobusLogin, answer: "globus_sdk.OAuthTokenResponse") -> None:
    """Keep a new access token for others, unless somebody has logged in anew meanwhile."""
    tokens = answer.by_resource_server[_RESOURCE]
    with _locked():
        if (found := read_login()) is not None and found.refresh_token == login.refresh_token:
            _write(
                replace(
                    login,
                    refresh_token=tokens.get("refresh_token") or login.refresh_token,
                    access_token=tokens["access_token"],
                    expires_at_seconds=tokens["expires_at_seconds"],
                    consents=found.consents,
                )
            )


def _write(login: GlobusLogin) -> None:
    write_atomically(login_file(), json.dumps(asdict(login), indent=1) + "\n", mode=0o600)


@contextmanager
def _locked() -> Iterator[None]:
    login_file().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with file_lock(login_file().with_suffix(".lock"), _PATIENCE_SEC):
        yield


def _retries() -> "globus_sdk.transport.RetryConfig":
    """Have requests tried again for a moment only: later tries are not made by a thread that sleeps."""
    from globus_sdk.transport import RetryConfig

    return RetryConfig(max_retries=2, max_sleep=1)

"""Questions to Globus: what its refusals mean for transfers.

A missing login or consent, and what passes, is waited for; only other refusals are errors of what was asked.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from balsam.exceptions import TransferWait
from balsam.platform.transfer.globus import consents_of
from balsam.processing.transfers.globus_login import COMMAND

if TYPE_CHECKING:
    import globus_sdk

__all__ = ["asking", "told"]

#: Answers that may be others later: too many tasks, a paused endpoint, too many requests.
_PASSING = (409, 429)


@contextmanager
def asking() -> Iterator[None]:
    """Raise TransferWait for what a person has to see to, or passes; other refusals as they are."""
    import globus_sdk

    try:
        yield
    except globus_sdk.NetworkError as error:
        raise TransferWait(f"Globus does not answer: {error}.") from error
    except globus_sdk.AuthAPIError as error:
        if error.http_status >= 500 or error.http_status in _PASSING:
            raise TransferWait(f"Globus: {told(error)}") from error
        raise _login_needed(told(error)) from error
    except globus_sdk.TransferAPIError as error:
        if error.info.consent_required:
            scopes = error.info.consent_required.required_scopes or []
            raise _consent_needed(scopes) from error
        if error.http_status == 401 or error.info.authorization_parameters:
            words = error.info.authorization_parameters.session_message or told(error)
            raise _login_needed(words) from error
        if error.http_status >= 500 or error.http_status in _PASSING:
            raise TransferWait(f"Globus: {told(error)}") from error
        raise


def _consent_needed(scopes: Sequence[str]) -> TransferWait:
    options = "".join(f" -e {endpoint}" for endpoint in consents_of(scopes))
    words = f"Globus needs your consent to use the data of an endpoint.\nGive it: `{COMMAND}{options}`."
    return TransferWait(words, needs_you=True)


def _login_needed(words: str) -> TransferWait:
    words = f"Globus wants a new login: {words}\nLog in, and it goes on: `{COMMAND} --again`."
    return TransferWait(words, needs_you=True)


def told(error: "globus_sdk.GlobusAPIError") -> str:
    """Return what Globus says, in its own words."""
    return f"{error.code or error.http_status}: {error.message or error.text or error.http_reason}"[:1_000]

"""Logins by another device (RFC 8628): a program asks, a person approves in a browser, the program fetches.

Each code works once. The device code is kept as a digest; the user code is short, so it lives a few minutes
only, and whoever types one is held back by the server after some tries.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import ExpressionWrapper, F
from django.db.models.fields import DateTimeField
from django.db.models.functions import Now

from balsam.core import logins
from balsam.core.models.account import DeviceLogin
from balsam.exceptions import NotFoundError
from balsam.schemas.accounts import DeviceRequest, NewDeviceLogin, NewLogin

__all__ = ["begin", "decide", "fetch", "waiting"]

LIFETIME = timedelta(minutes=5)
INTERVAL_SEC = 3
_SLOWER_SEC = 5
#: A request that is so much too early has only been on a faster way.
_LEEWAY = timedelta(seconds=0.5)
#: No vowels, so that no words come of it.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


def begin(client_id: str, scopes: Sequence[str], label: str, address: str) -> NewDeviceLogin:
    """Let a program ask for a login."""
    DeviceLogin.objects.filter(expires__lt=Now() - LIFETIME).delete()
    device_code = logins.new_secret("device")
    while not _was_made(user_code := _new_user_code(), device_code, client_id, scopes, label, address):
        pass
    return NewDeviceLogin(
        device_code=device_code,
        user_code=user_code,
        expires_in=int(LIFETIME.total_seconds()),
        interval=INTERVAL_SEC,
    )


def _was_made(
    user_code: str, device_code: str, client_id: str, scopes: Sequence[str], label: str, address: str
) -> bool:
    """Insert the request; False if the user code is another's."""
    try:
        with transaction.atomic():
            DeviceLogin.objects.create(
                digest=logins.digest(device_code),
                user_code=user_code,
                client_id=client_id,
                scopes=" ".join(scopes),
                label=label.replace("\0", "")[:200],
                address=address,
                expires=Now() + LIFETIME,
                interval_sec=INTERVAL_SEC,
            )
    except IntegrityError:
        return False
    return True


def _new_user_code() -> str:
    letters = "".join(secrets.choice(_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def _read_user_code(typed: str) -> str:
    letters = "".join(letter for letter in typed.upper() if letter in _LETTERS)
    return f"{letters[:4]}-{letters[4:]}"


def waiting(user_code: str) -> DeviceRequest:
    """Return the request that waits for an answer under a code, however it is typed; raises NotFoundError."""
    rows = DeviceLogin.objects.filter(is_approved=None, expires__gt=Now())
    row = rows.filter(user_code=_read_user_code(user_code)).first()
    if row is None:
        raise NotFoundError(
            "No login waits under this code. It may have a typing error, or it has been used, or it is older "
            "than five minutes: then type `balsam login` again."
        )
    return DeviceRequest(
        user_code=row.user_code,
        label=row.label,
        address=row.address,
        scopes=tuple(row.scopes.split()),
        created=row.created,
    )


def decide(account_id: int, user_code: str, *, approve: bool) -> None:
    """Approve or deny a request, once; raises NotFoundError when it does not wait any more."""
    rows = DeviceLogin.objects.filter(is_approved=None, expires__gt=Now())
    rows = rows.filter(user_code=_read_user_code(user_code))
    if not rows.update(account_id=account_id, is_approved=approve):
        raise NotFoundError("This request has been answered already, or has expired.")


def fetch(device_code: str, client_id: str, access_lifetime: timedelta) -> NewLogin | str:
    """Return the login that was approved, once; else the error of RFC 8628 that tells why there is none."""
    with transaction.atomic():
        rows = DeviceLogin.objects.select_for_update(of=("self",)).filter(digest=logins.digest(device_code))
        row = rows.annotate(now=ExpressionWrapper(Now(), DateTimeField())).first()
        if row is None:
            return "invalid_grant"
        if row.client_id != client_id:
            return "invalid_client"
        if row.expires <= row.now:
            return _ended(row, "expired_token")
        if row.is_approved is None:
            return _not_yet(row, row.now)
        if not row.is_approved or row.account_id is None:
            return _ended(row, "access_denied")
        row.delete()
        return logins.new_login(row.account_id, row.label, row.scopes.split(), access_lifetime)


def _ended(row: DeviceLogin, error: str) -> str:
    row.delete()
    return error


def _not_yet(row: DeviceLogin, now: datetime) -> str:
    """Note that the program has asked; tell it to be slower when it was too early."""
    pause = timedelta(seconds=row.interval_sec) - _LEEWAY
    is_early = row.polled is not None and now - row.polled < pause
    added = _SLOWER_SEC if is_early else 0
    DeviceLogin.objects.filter(pk=row.pk).update(polled=now, interval_sec=F("interval_sec") + added)
    return "slow_down" if is_early else "authorization_pending"

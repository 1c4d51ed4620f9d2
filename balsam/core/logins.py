"""Logins of accounts: their tokens are random, kept as digests, and end with the login.

A refresh token is exchanged for the next one, and for an access token. One that was replaced still works
while nobody has been seen to have what replaced it, and shortly after: the reply may have been lost, or
several processes may have asked at once. Used later than that, it is in two hands, and the login ends.
"""

import hashlib
import logging
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from balsam.core.models.account import Login, Token
from balsam.core.models.site import Site
from balsam.exceptions import LoginNeededError, NotFoundError
from balsam.schemas.accounts import AccountId, AccountInfo, CallerInfo, LoginInfo, NewLogin

__all__ = [
    "browser_account",
    "caller_of",
    "digest",
    "end_browser_login",
    "logins_of",
    "mint",
    "new_browser_login",
    "new_login",
    "new_secret",
    "renew",
    "revoke",
]

logger = logging.getLogger(__name__)

#: By which scanners for secrets know one of ours.
PREFIX = "balsam_"
ACCESS_LIFETIME = timedelta(hours=48)
#: A login that is not renewed for so long ends.
LOGIN_LIFETIME = timedelta(days=30)
BROWSER_LIFETIME = timedelta(hours=1)
#: A refresh token that was replaced works so long after what replaced it was first used: a process on another
#: node may see the old client.yml for a minute.
GRACE = timedelta(minutes=5)
#: Use is noted no more often.
_NOTED = timedelta(minutes=5)
_OVER = "The login has expired or was revoked. Type `balsam login`."


def new_secret(kind: str = "") -> str:
    """Return a random text of 256 bits that tells what it is."""
    return f"{PREFIX}{kind}{'_' if kind else ''}{secrets.token_urlsafe(32)}"


def digest(secret: str) -> str:
    """Digest a secret; it is random, so nothing slower is needed."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


# -- making ------------------------------------------------------------------------------------------


def new_login(
    account_id: int, label: str, scopes: Sequence[str], access_lifetime: timedelta = ACCESS_LIFETIME
) -> NewLogin:
    """Make a login that can be renewed."""
    with transaction.atomic():
        login = _made(account_id, label, scopes, LOGIN_LIFETIME)
        return _issue(login, access_lifetime)


def mint(
    account_id: int, label: str, scopes: Sequence[str], lifetime: timedelta, site_id: int | None
) -> NewLogin:
    """Make a login that is not renewed, for all sites of the account or for one; raises NotFoundError."""
    if site_id is not None and not Site.objects.filter(pk=site_id, owner=account_id).exists():
        raise NotFoundError(f"There is no site {site_id}. `balsam site ls` lists yours.")
    with transaction.atomic():
        login = _made(account_id, label, scopes, lifetime, site_id)
        text, expires, seconds = _secret(login, "access", lifetime)
    return NewLogin(access=text, refresh="", expires=expires, expires_in=seconds, scopes=tuple(scopes))


def new_browser_login(account_id: int, label: str) -> str:
    """Make a login for a browser; return what goes into its cookie. It is of no use elsewhere."""
    with transaction.atomic():
        return _secret(_made(account_id, label, (), BROWSER_LIFETIME), "browser", BROWSER_LIFETIME)[0]


def _made(
    account_id: int, label: str, scopes: Sequence[str], lifetime: timedelta, site_id: int | None = None
) -> Login:
    """Insert a login, and forget those of the account that are over."""
    Login.objects.filter(account_id=account_id, expires__lt=Now()).delete()
    label = label.replace("\0", "")[:200]
    return Login.objects.create(
        account_id=account_id,
        label=label,
        scopes=" ".join(scopes),
        site_id=site_id,
        expires=Now() + lifetime,
    )


def _issue(login: Login, access_lifetime: timedelta) -> NewLogin:
    """Make the tokens of the login's generation."""
    access, expires, seconds = _secret(login, "access", access_lifetime)
    refresh, _, _ = _secret(login, "refresh", LOGIN_LIFETIME)
    return NewLogin(
        access=access,
        refresh=refresh,
        expires=expires,
        expires_in=seconds,
        scopes=tuple(login.scopes.split()),
    )


def _secret(login: Login, kind: str, lifetime: timedelta) -> tuple[str, datetime, int]:
    text = new_secret("" if kind == "access" else kind)
    row = Token.objects.create(
        login=login,
        digest=digest(text),
        kind=kind,
        generation=login.generation,
        expires=Now() + lifetime,
    )
    row.refresh_from_db(fields=["created", "expires"])
    return text, row.expires, round((row.expires - row.created).total_seconds())


# -- using -------------------------------------------------------------------------------------------


def caller_of(token: str) -> CallerInfo:
    """Return whose access token it is, and note its use; raises LoginNeededError for one that is over."""
    row = _live_token(token, "access")
    if row is None:
        raise LoginNeededError(_OVER)
    login = row.login
    _note_use(row)
    return CallerInfo(
        id=AccountId.at_site(login.account_id, login.site_id),
        username=login.account.username,
        login_id=login.pk,
        scopes=tuple(login.scopes.split()),
        expires=row.expires,
    )


def browser_account(cookie: str) -> AccountInfo | None:
    """Return who is logged in with a browser; None if nobody is."""
    row = _live_token(cookie, "browser")
    return None if row is None else AccountInfo(row.login.account_id, row.login.account.username)


def _live_token(text: str, kind: str) -> Token | None:
    rows = Token.objects.select_related("login__account").filter(expires__gt=Now(), login__expires__gt=Now())
    return rows.filter(digest=digest(text), kind=kind).first()


def _note_use(token: Token) -> None:
    login = token.login
    Login.objects.filter(pk=login.pk).exclude(last_used__gt=Now() - _NOTED).update(last_used=Now())
    if token.generation == login.generation and login.confirmed is None:
        Login.objects.filter(pk=login.pk, generation=token.generation, confirmed=None).update(confirmed=Now())


def renew(refresh: str, access_lifetime: timedelta = ACCESS_LIFETIME) -> NewLogin:
    """Exchange a refresh token; raises LoginNeededError for one that is over, or in two hands."""
    with transaction.atomic():
        token = Token.objects.filter(digest=digest(refresh), kind="refresh", expires__gt=Now()).first()
        login = None if token is None else _locked(token, token.login_id)
        if login is not None:
            return _next(login, access_lifetime)
    live = Login.objects.filter(pk=0 if token is None else token.login_id, expires__gt=Now())
    if token is not None and live.delete()[0]:
        logger.warning("Login %s has ended: its refresh token was used twice.", token.login_id)
    raise LoginNeededError(_OVER)


def _locked(token: Token, login_id: int) -> Login | None:
    """Lock the login of a refresh token that still counts; None for another."""
    rows = Login.objects.select_for_update().filter(pk=login_id, expires__gt=Now())
    is_last = Q(generation=token.generation)
    was_last = Q(generation=token.generation + 1) & (Q(confirmed=None) | Q(confirmed__gt=Now() - GRACE))
    login = rows.filter(is_last | was_last).first()
    if login is not None and login.generation == token.generation:
        Login.objects.filter(pk=login.pk).update(generation=F("generation") + 1, confirmed=None)
        login.generation += 1
    return login


def _next(login: Login, access_lifetime: timedelta) -> NewLogin:
    Login.objects.filter(pk=login.pk).update(expires=Now() + LOGIN_LIFETIME, last_used=Now())
    Token.objects.filter(login=login, expires__lt=Now()).delete()
    return _issue(login, access_lifetime)


# -- listing and ending ------------------------------------------------------------------------------


def logins_of(account_id: int) -> list[LoginInfo]:
    """Return the live logins of an account, the newest first."""
    rows = Login.objects.filter(account_id=account_id, expires__gt=Now()).order_by("-created", "-pk")
    return [
        LoginInfo(
            id=row.pk,
            label=row.label,
            scopes=tuple(row.scopes.split()),
            site_id=row.site_id,
            created=row.created,
            expires=row.expires,
            last_used=row.last_used,
        )
        for row in rows
    ]


def revoke(account_id: int, login_id: int) -> None:
    """End a login of the account; raises NotFoundError."""
    if not Login.objects.filter(account_id=account_id, pk=login_id).delete()[0]:
        raise NotFoundError(f"There is no login {login_id}. `balsam auth tokens` lists them.")


def end_browser_login(cookie: str) -> None:
    """Log a browser out."""
    Login.objects.filter(token__digest=digest(cookie), token__kind="browser").delete()

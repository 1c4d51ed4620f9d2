"""People with logins: passwords are kept as scrypt hashes, tokens as digests; neither is ever shown again."""

import hashlib
import re
import secrets
from datetime import timedelta

from django.contrib.auth.hashers import check_password, make_password
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from balsam.core.models.account import Account, Token
from balsam.exceptions import ConflictError, LoginNeededError, NotFoundError, UsageError
from balsam.schemas.accounts import AccountInfo, NewToken, TokenInfo

__all__ = ["account_of", "register", "revoke", "sign_in", "tokens_of"]

#: By which scanners for secrets know a token.
PREFIX = "balsam_"
#: A login lasts so long after it was last used, so that a campaign that goes on never loses it.
LIFETIME = timedelta(days=30)
#: Use is noted no more often.
_NOTED = timedelta(minutes=5)
_USERNAME = re.compile(r"[A-Za-z0-9_.@+-]{1,100}")
_SHORTEST_PASSWORD = 8


def register(username: str, password: str) -> AccountInfo:
    """Make an account; raises UsageError for a name or password that will not do, ConflictError if taken."""
    if not _USERNAME.fullmatch(username):
        raise UsageError(f"The username {username!r} is not 1 to 100 letters, digits and _ . @ + -.")
    if len(password) < _SHORTEST_PASSWORD:
        raise UsageError(f"The password is too short: it needs {_SHORTEST_PASSWORD} characters.")
    try:
        with transaction.atomic():
            account = Account.objects.create(
                username=username, password_hash=make_password(password, hasher="scrypt")
            )
    except IntegrityError:
        raise ConflictError(f"The username {username!r} is taken. Choose another.") from None
    return AccountInfo(account.pk, username)


def sign_in(username: str, password: str, label: str = "") -> NewToken:
    """Return a new login; raises LoginNeededError, after the same work, for a wrong name or password."""
    account = Account.objects.filter(username=username).first()
    known = account.password_hash if account is not None else ""
    if not known:
        make_password(password, hasher="scrypt")  # a name that is not there takes as long as one that is
    if account is None or not known or not check_password(password, known):
        raise LoginNeededError("The username or the password is wrong.")
    return new_token(account.pk, label)


def new_token(account_id: int, label: str) -> NewToken:
    """Make a login for an account."""
    text = PREFIX + secrets.token_urlsafe(32)
    row = Token.objects.create(
        account_id=account_id, digest=_digest(text), label=label[:200], expires=Now() + LIFETIME
    )
    row.refresh_from_db(fields=["expires"])
    return NewToken(text, row.expires)


def account_of(token: str) -> AccountInfo:
    """Return whose login it is, and let it last longer; raises LoginNeededError for one that is over."""
    row = Token.objects.select_related("account").filter(digest=_digest(token), expires__gt=Now()).first()
    if row is None:
        raise LoginNeededError("The login has expired or was revoked. Type `balsam login`.")
    Token.objects.filter(pk=row.pk).exclude(last_used__gt=Now() - _NOTED).update(
        last_used=Now(), expires=Now() + LIFETIME
    )
    return AccountInfo(row.account.pk, row.account.username)


def tokens_of(account_id: int) -> list[TokenInfo]:
    """Return the live logins of an account, the newest first."""
    rows = Token.objects.filter(account_id=account_id, expires__gt=Now()).order_by("-created", "-pk")
    return [TokenInfo(row.pk, row.label, row.created, row.expires, row.last_used) for row in rows]


def revoke(account_id: int, token: str = "", token_id: int | None = None) -> None:
    """End a login of the account, given its text or its number; raises NotFoundError."""
    rows = Token.objects.filter(account_id=account_id)
    rows = rows.filter(pk=token_id) if token_id is not None else rows.filter(digest=_digest(token))
    if not rows.delete()[0]:
        raise NotFoundError("There is no such login. `balsam auth tokens` lists them.")


def _digest(token: str) -> str:
    """Digest a token; it is random, so nothing slower is needed."""
    return hashlib.sha256(token.encode()).hexdigest()

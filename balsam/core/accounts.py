"""People with accounts: passwords are kept as scrypt hashes, and never shown again."""

import re
import secrets

from django.contrib.auth.hashers import check_password, make_password
from django.db import IntegrityError, transaction

from balsam.core.models.account import Account, Identity
from balsam.exceptions import ConflictError, LoginNeededError, UsageError
from balsam.schemas.accounts import AccountInfo

__all__ = ["account_of_identity", "check_login", "register"]

_USERNAME = re.compile(r"[A-Za-z0-9_.@+-]{1,100}")
_SHORTEST_PASSWORD = 8
#: Hashing what is longer would only be work.
_LONGEST_PASSWORD = 1024


def register(username: str, password: str) -> AccountInfo:
    """Make an account; raises UsageError for a name or password that will not do, ConflictError if taken."""
    if not _USERNAME.fullmatch(username):
        raise UsageError(f"The username {username!r} is not 1 to 100 letters, digits and _ . @ + -.")
    if len(password) < _SHORTEST_PASSWORD:
        raise UsageError(f"The password is too short: it needs {_SHORTEST_PASSWORD} characters.")
    if len(password) > _LONGEST_PASSWORD:
        raise UsageError(f"The password is too long: it may have {_LONGEST_PASSWORD} characters.")
    made = _made(username, make_password(password, hasher="scrypt"))
    if made is None:
        raise ConflictError(f"The username {username!r} is taken. Choose another.")
    return made


def check_login(username: str, password: str) -> AccountInfo:
    """Return whose password it is; raises LoginNeededError, after the same work, for a wrong one or name."""
    account = Account.objects.filter(username=username).first() if "\0" not in username else None
    known = account.password_hash if account is not None else ""
    password = password[:_LONGEST_PASSWORD]
    if not known:
        make_password(password, hasher="scrypt")  # a name that is not there takes as long as one that is
    if account is None or not known or not check_password(password, known):
        raise LoginNeededError("The username or the password is wrong.")
    return AccountInfo(account.pk, account.username)


def account_of_identity(issuer: str, subject: str, wanted: str) -> AccountInfo:
    """Return the account of somebody whom a provider knows; made at the first login, by a free name.

    An account that has the name already is another person's, as far as anybody can tell.
    """
    found = _known(issuer, subject)
    if found is not None:
        return found
    name = re.sub(r"[^A-Za-z0-9_.@+-]", "-", wanted)[:90] or "user"
    try:
        with transaction.atomic():
            made = _made(name, "")
            while made is None:
                made = _made(f"{name}-{secrets.token_hex(3)}", "")
            Identity.objects.create(account_id=made.id, issuer=issuer, subject=subject)
    except IntegrityError:  # by another login of the same person at the same time
        found = _known(issuer, subject)
        if found is None:
            raise
        return found
    return made


def _known(issuer: str, subject: str) -> AccountInfo | None:
    row = Identity.objects.select_related("account").filter(issuer=issuer, subject=subject).first()
    return None if row is None else AccountInfo(row.account.pk, row.account.username)


def _made(username: str, password_hash: str) -> AccountInfo | None:
    """Insert an account; None if the name is taken."""
    try:
        with transaction.atomic():
            account = Account.objects.create(username=username, password_hash=password_hash)
    except IntegrityError:
        return None
    return AccountInfo(account.pk, username)

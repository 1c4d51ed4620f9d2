"""Accounts and logins as clients see them; times are aware UTC."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["AccountInfo", "NewToken", "TokenInfo"]


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """A person with a login."""

    id: int
    username: str


@dataclass(frozen=True, slots=True)
class NewToken:
    """A login that has just been made; the text is not to be had again."""

    text: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A login, without its secret."""

    id: int
    label: str
    created: datetime
    expires: datetime
    last_used: datetime | None

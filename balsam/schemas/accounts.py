"""Accounts and logins as clients see them; times are aware UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from balsam.exceptions import UsageError

__all__ = [
    "SCOPES",
    "AccountId",
    "AccountInfo",
    "CallerInfo",
    "DeviceRequest",
    "LoginInfo",
    "NewDeviceLogin",
    "NewLogin",
    "check_scopes",
]

#: What a login may be for -> what that lets its holder do, in words for people.
SCOPES = {
    "read": "see sites, applications, jobs and events",
    "submit": "make, change and delete them, and ask for batch jobs",
    "agent": "run jobs, as launchers and the agents of sites do",
    "admin": "list, make and end logins of the account",
}


def check_scopes(scopes: Sequence[str]) -> tuple[str, ...]:
    """Return scopes in their order, each once; raises UsageError for none, and for one that is not there."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        problem = f"There is no scope {', '.join(unknown)}." if unknown else "Name a scope."
        raise UsageError(f"{problem} There are: {', '.join(SCOPES)}.")
    return tuple(scope for scope in SCOPES if scope in scopes)


class AccountId(int):
    """The number of an account, with the one site that its caller is limited to; None: all its sites."""

    site_id: int | None = None

    @classmethod
    def at_site(cls, number: int, site_id: int | None) -> "AccountId":
        """Return a number that knows its site."""
        made = cls(number)
        made.site_id = site_id
        return made


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """A person with logins."""

    id: int
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerInfo:
    """Who sends a request, and what the login it is sent with is for."""

    id: AccountId
    username: str
    login_id: int
    scopes: tuple[str, ...]
    expires: datetime

    @property
    def site_id(self) -> int | None:
        """The one site that the login is for; None: all of the account."""
        return self.id.site_id


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLogin:
    """A login that has just been made or renewed; its texts are not to be had again."""

    access: str
    #: '' for one that cannot be renewed.
    refresh: str
    #: Of ``access``.
    expires: datetime
    #: Seconds until then, by the clock of the database.
    expires_in: int
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginInfo:
    """A login, without its secrets."""

    id: int
    label: str
    scopes: tuple[str, ...]
    site_id: int | None
    created: datetime
    expires: datetime
    last_used: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeviceLogin:
    """A login that somebody is to approve: the program keeps the one code, the person types the other."""

    device_code: str
    user_code: str
    expires_in: int
    interval: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """What a person is asked to approve."""

    user_code: str
    label: str
    address: str
    scopes: tuple[str, ...]
    created: datetime

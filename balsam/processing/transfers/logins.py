"""Shared ssh connections to the hosts files come from and go to: one login each, however many batches.

A connection that `balsam remote` has to the same host is used; else one of its own is opened by key. Where
that needs a person, nothing is asked and nothing has failed: `balsam transfer login` opens it.
"""

import threading
import time
from dataclasses import dataclass, replace
from hashlib import sha256

from balsam.config.home import balsam_home
from balsam.exceptions import BalsamError, ConfigError, LoginRefusedError, TransferWait
from balsam.platform.transfer import Place
from balsam.remote import registry
from balsam.remote.control_dir import control_path
from balsam.remote.destination import Destination
from balsam.remote.prompts import NOBODY, Prompts
from balsam.remote.ssh import Master
from balsam.remote.tunnel import login_master

__all__ = ["Logins", "log_in", "master_of"]

#: A host that did not let us in, or did not answer, is not asked again sooner; and later each time that it
#: did not let us in, since some lock out who tries often. A login that somebody else opens is seen at once.
_REST_SEC = 5.0
_LONGEST_REST_SEC = 120.0


@dataclass(slots=True)
class _Refusal:
    """Why there is no connection, and until when that is taken for so."""

    error: TransferWait
    until: float
    #: How often it has been so.
    count: int


class Logins:
    """The connections of one process; may be used from several threads."""

    def __init__(self) -> None:
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._refusals: dict[str, _Refusal] = {}

    def options(self, place: Place) -> tuple[str, ...]:
        """Return options with which ssh uses the connection to a place; raises TransferWait."""
        key = place.login
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            for master in _masters(place):
                if master.is_open():
                    self._refusals.pop(key, None)
                    return _through(master)
            return _through(self._opened(place, key))

    def _opened(self, place: Place, key: str) -> Master:
        refusal = self._refusals.get(key)
        if refusal is not None and time.monotonic() < refusal.until:
            raise refusal.error
        master = master_of(place)
        try:
            master.open(NOBODY)
        except LoginRefusedError as error:
            words = f"Log in, and it goes on: `balsam transfer login {_typed(place)}`."
            words += f"\n{str(error).splitlines()[0]}"
            raise self._refused(key, TransferWait(words, needs_you=True)) from error
        except ConfigError:
            raise
        except BalsamError as error:
            raise self._refused(key, TransferWait(str(error))) from error
        return master

    def _refused(self, key: str, error: TransferWait) -> TransferWait:
        earlier = self._refusals.get(key)
        count = earlier.count + 1 if earlier is not None and error.needs_you else 0
        rest_sec = min(_LONGEST_REST_SEC, _REST_SEC * 2.0 ** min(count, 16))
        self._refusals[key] = _Refusal(error, time.monotonic() + rest_sec, count)
        return error


def master_of(place: Place) -> Master:
    """Return the connection that transfers have to a place, which need not be open."""
    name = sha256(place.login.encode()).hexdigest()[:16]
    return Master(_destination(place), control_path(balsam_home().absolute() / "transfers" / name, "xfer"))


def log_in(place: Place, prompts: Prompts) -> bool:
    """Open that connection; False if it was open. Raises LoginRefusedError, DatabaseUnreachable."""
    master = master_of(place)
    if master.is_open():
        return False
    master.open(prompts)
    return True


def _masters(place: Place) -> list[Master]:
    """The connection of transfers, then those of remotes at the same host."""
    wanted = _destination(place)
    found = [master_of(place)]
    for name in registry.names():
        try:
            remote = registry.load(name)
        except ConfigError:  # damaged: `balsam remote ls` tells
            continue
        if replace(remote.destination, path=wanted.path) == wanted:
            found.append(login_master(remote))
    return found


def _destination(place: Place) -> Destination:
    return Destination(place.host, "/", place.user, place.port)


def _typed(place: Place) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    login = f"{place.user}@{host}" if place.user else host
    return f"{login}:{place.port}" if place.port else login


def _through(master: Master) -> tuple[str, ...]:
    where = master.destination
    settings = [
        f"ControlPath={str(master.socket).replace('%', '%%')}",
        "ControlMaster=no",
        "ProxyCommand=false",
        "BatchMode=yes",
        "ForwardAgent=no",
        *([f"Port={where.port}"] if where.port else []),
    ]
    return tuple(word for setting in settings for word in ("-o", setting))

"""``~/.balsam/client.yml``: which server this user is logged in to, readable by nobody else."""

import importlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from balsam.config.home import balsam_home
from balsam.exceptions import ConfigError
from balsam.lib.addresses import server_address
from balsam.lib.atomic import write_atomically

__all__ = ["ClientSettings", "client_path"]

logger = logging.getLogger(__name__)

_TEXTS = ("username", "token", "refresh_token", "ca_file")
_NUMBERS = ("connect_timeout", "read_timeout", "retry_count")
_KEYS = ("api_root", "token_expiry", *_TEXTS, *_NUMBERS)
#: Of older programs: without meaning here, and no mistake.
_OLD_KEYS = ("client_class",)


def client_path() -> Path:
    """Return where the file is: BALSAM_CLIENT_PATH, or in the user's directory."""
    chosen = os.environ.get("BALSAM_CLIENT_PATH")
    return Path(chosen).expanduser() if chosen else balsam_home() / "client.yml"


def _chosen_ca_file() -> str:
    """Return the file that BALSAM_CA_FILE names, as a login is to remember it."""
    chosen = os.environ.get("BALSAM_CA_FILE", "")
    return str(Path(chosen).expanduser().absolute()) if chosen else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """A login at a server."""

    api_root: str
    username: str = ""
    #: '' where one is not logged in.
    token: str = field(default="", repr=False)
    #: Aware; None where it is not known.
    token_expiry: datetime | None = None
    #: '' for a login that cannot be renewed.
    refresh_token: str = field(default="", repr=False)
    #: Of the authority that has signed the server's certificate; '': one that the system trusts.
    ca_file: str = field(default_factory=_chosen_ca_file)
    #: Seconds to wait for a connection, and for an answer; None: as usual.
    connect_timeout: float | None = None
    read_timeout: float | None = None
    #: How often a request is sent again; None: for some time.
    retry_count: int | None = None
    #: What else the file says; it is kept.
    others: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def load_from_file(cls, path: Path | None = None) -> "ClientSettings | None":
        """Read the file; None when there is none. Raises ConfigError for one that cannot be read."""
        import yaml

        path = path or client_path()
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
            expiry = values.get("token_expiry")
            texts = {key: str(values.get(key) or "") for key in _TEXTS}
            found = cls(
                api_root=server_address(str(values["api_root"])),
                token_expiry=None if expiry is None else _aware(expiry),
                others={key: value for key, value in values.items() if key not in _KEYS},
                connect_timeout=_seconds(values, "connect_timeout"),
                read_timeout=_seconds(values, "read_timeout"),
                retry_count=_count(values, "retry_count"),
                **texts,
            )
        except FileNotFoundError:
            return None
        except yaml.YAMLError as error:  # whose text may quote a token
            mark = getattr(error, "problem_mark", None)
            where = f"line {mark.line + 1} is no YAML" if mark else "it is no YAML"
            raise _unreadable(path, where) from None
        except KeyError as error:
            raise _unreadable(path, f"it has no {error.args[0]}") from None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise _unreadable(path, f"{type(error).__name__}: {error}") from None
        for key in found.others.keys() - set(_OLD_KEYS):
            logger.warning("%s: %s is no setting, and is ignored.", path, key)
        return found

    def build_client(self) -> Any:
        """Have the objects of this process be those of this login, and return their classes.

        They are ``.Job``, ``.Site`` and so on, as `balsam.api` and ``SiteConfig().client`` have them.
        """
        connection = importlib.import_module("balsam.api.connection")
        return connection.log_in_with(self)

    @classmethod
    def at(cls, address: str, known: "ClientSettings | None") -> "ClientSettings":
        """Return what is ``known`` of a server, with nobody logged in."""
        if known is None or known.api_root.rstrip("/") != address.rstrip("/"):
            return cls(api_root=address)
        return replace(known.logged_out(), ca_file=_chosen_ca_file() or known.ca_file)

    def logged_out(self) -> "ClientSettings":
        """Return the same without tokens."""
        return replace(self, token="", token_expiry=None, refresh_token="")

    def save_to_file(self, path: Path | None = None) -> Path:
        """Write the file, which only this user may read; return where."""
        import yaml

        path = path or client_path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        values = {
            "api_root": self.api_root,
            "username": self.username,
            "token": self.token,
            "token_expiry": None if self.token_expiry is None else self.token_expiry.isoformat(),
            "refresh_token": self.refresh_token,
            **({"ca_file": self.ca_file} if self.ca_file else {}),
            **{key: value for key in _NUMBERS if (value := getattr(self, key)) is not None},
            **self.others,
        }
        write_atomically(path, yaml.safe_dump(values, sort_keys=False), mode=0o600)
        return path


def _unreadable(path: Path, why: str) -> ConfigError:
    return ConfigError(f"Cannot read {path}: {why}. `balsam login --force` writes it anew.")


def _seconds(values: Mapping[str, Any], key: str) -> float | None:
    """Read a number of seconds; raises ValueError."""
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise ValueError(f"{key} is {value!r}, and no number of seconds")
    return float(value)


def _count(values: Mapping[str, Any], key: str) -> int | None:
    """Read a whole number; raises ValueError."""
    value = values.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise ValueError(f"{key} is {value!r}, and no whole number")
    return value


def _aware(told: object) -> datetime:
    """Read a time; a naive one is UTC."""
    found = told if isinstance(told, datetime) else datetime.fromisoformat(str(told))
    return found if found.tzinfo else found.replace(tzinfo=UTC)

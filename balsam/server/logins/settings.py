"""How people log in at this server: ``logins.yml`` beside the database; the environment counts more.

The file may hold the secret of a provider, so it is refused when others can read it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from balsam.exceptions import ConfigError

__all__ = ["FILE", "LoginSettings", "Provider", "is_safe", "read_settings"]

FILE = "logins.yml"
METHODS = ("password", "device")
_YES = ("1", "true", "yes", "on")
_PROVIDER_KEYS = ("name", "issuer", "client_id", "client_secret", "scope")
#: Variable -> key of the file.
VARIABLES = {
    "BALSAM_AUTH_LOGIN_METHODS": "methods",
    "BALSAM_AUTH_REGISTRATION": "registration",
    "BALSAM_AUTH_PUBLIC_URL": "public_url",
    "BALSAM_AUTH_TOKEN_HOURS": "token_hours",
    **{f"BALSAM_OAUTH_{key.upper()}": f"provider.{key}" for key in _PROVIDER_KEYS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An OpenID Connect provider."""

    name: str
    issuer: str
    client_id: str
    client_secret: str = ""
    scope: str = "openid profile email"

    def __repr__(self) -> str:
        return f"Provider({self.name!r}, {self.issuer!r})"  # never the secret


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSettings:
    """How people log in."""

    #: As clients are to try them.
    methods: tuple[str, ...] = METHODS
    registration: bool = True
    #: Where browsers reach the server; '': as the request was sent.
    public_url: str = ""
    token_lifetime: timedelta = timedelta(hours=48)
    provider: Provider | None = None

    @property
    def takes_passwords(self) -> bool:
        """Whether one may sign in on the page with a password."""
        return "password" in self.methods or self.provider is None


def read_settings(db_path: Path, environ: Mapping[str, str] = os.environ) -> LoginSettings:
    """Read the settings of a database; raises ConfigError for what cannot be."""
    path = db_path / FILE
    values = _flat(_read(path), path)
    for variable, key in VARIABLES.items():
        if variable in environ:
            values[key] = environ[variable]
    if unknown := sorted(set(values) - set(VARIABLES.values())):
        raise ConfigError(f"{path}: {unknown[0]} is no setting. There are: {', '.join(VARIABLES.values())}.")
    return LoginSettings(
        methods=_methods(values.get("methods", METHODS), path),
        registration=str(values.get("registration", True)).lower() in _YES,
        public_url=_url(str(values.get("public_url", "")), "public_url", path).rstrip("/"),
        token_lifetime=_hours(values.get("token_hours", 48), path),
        provider=_provider(values, path),
    )


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        with open(path, encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o077
            values = yaml.safe_load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"Cannot read {path}: {error}") from error
    if mode:
        raise ConfigError(f"Others can read {path}, which may hold a secret. Type: chmod 600 {path}")
    if values is not None and not isinstance(values, dict):
        raise ConfigError(f"{path} is no list of settings of the form `name: value`.")
    return values or {}


def _flat(values: Mapping[str, Any], path: Path) -> dict[str, Any]:
    provider = values.get("provider") or {}
    if not isinstance(provider, dict):
        raise ConfigError(f"{path}: provider needs {', '.join(_PROVIDER_KEYS)}.")
    rest = {str(key): value for key, value in values.items() if key != "provider"}
    return {**rest, **{f"provider.{key}": value for key, value in provider.items()}}


def _methods(told: Any, path: Path) -> tuple[str, ...]:
    words = told.replace(",", " ").split() if isinstance(told, str) else list(told)
    if not words or set(words) - set(METHODS):
        raise ConfigError(f"{path}: methods is {told!r}; it lists one or both of {', '.join(METHODS)}.")
    return tuple(dict.fromkeys(words))


def _hours(told: Any, path: Path) -> timedelta:
    try:
        lifetime = timedelta(hours=float(told))
    except (TypeError, ValueError, OverflowError):
        lifetime = timedelta(0)
    if lifetime < timedelta(seconds=1):
        raise ConfigError(f"{path}: token_hours is {told!r}; it is a number of hours, above 0.")
    return lifetime


def _provider(values: Mapping[str, Any], path: Path) -> Provider | None:
    given = {key: str(values[f"provider.{key}"]) for key in _PROVIDER_KEYS if values.get(f"provider.{key}")}
    if not given:
        return None
    if missing := [key for key in ("issuer", "client_id") if key not in given]:
        raise ConfigError(f"{path}: the provider needs {missing[0]}, too.")
    _url(given["issuer"], "provider.issuer", path)
    if not is_safe(given["issuer"]):
        raise ConfigError(f"{path}: provider.issuer is {given['issuer']!r}; it must be https.")
    name = given.pop("name", "") or urlsplit(given["issuer"]).hostname or ""
    return Provider(name=name, **given)


def _url(text: str, key: str, path: Path) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ConfigError(f"{path}: {key} is {text!r}, which is no address: https://HOST")
    return text


def is_safe(url: str) -> bool:
    """Say whether what goes there cannot be read on the way: by https, or within this host."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1")

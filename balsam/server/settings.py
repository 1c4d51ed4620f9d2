"""How a database is served: ``server.yml`` in its directory, and what the command line says instead."""

import ipaddress
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from balsam.exceptions import ConfigError, UsageError
from balsam.lib.atomic import write_atomically

__all__ = ["ServerSettings", "from_values", "is_deployed", "read_settings", "settings_path", "write_settings"]

_FILE = "server.yml"
_HEAD = """\
# How `balsam server up` serves this database. What is given on the command line counts instead.
# certificate, key: PEM files, for https. self_signed: Balsam makes them, with an authority of its own.
# names: other names than the host's own that clients call it by. trusted_proxies: addresses of proxies whose
# X-Forwarded-For is believed. insecure: plain http beyond this host.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Where to listen, and how. ``port`` 0: any that is free."""

    host: str = "127.0.0.1"
    port: int = 8000
    certificate: str = ""
    key: str = ""
    self_signed: bool = False
    insecure: bool = False
    names: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    #: Each request is written to the log.
    log_requests: bool = True

    @property
    def is_encrypted(self) -> bool:
        """Whether it is https."""
        return bool(self.certificate) or self.self_signed

    @property
    def is_local(self) -> bool:
        """Whether only processes of this host reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def changed(self, **values: Any) -> "ServerSettings":
        """Return these settings with other values; None changes nothing. Raises UsageError."""
        settings = replace(self, **{name: value for name, value in values.items() if value is not None})
        settings.check()
        return settings

    def check(self) -> None:
        """Raise UsageError for what cannot be, or should not."""
        if bool(self.certificate) != bool(self.key):
            raise UsageError("A certificate needs its key: give --certificate FILE and --key FILE.")
        if self.certificate and self.self_signed:
            raise UsageError("Give --certificate and --key, or --self-signed, not both.")
        for name in filter(None, (self.certificate, self.key)):
            if not Path(name).is_file():
                raise UsageError(f"There is no file {name}: the certificate and its key are PEM files.")
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise UsageError(f"{proxy!r} is no address of a proxy, such as 127.0.0.1.") from error
        if not (self.is_local or self.is_encrypted or self.insecure):
            raise UsageError(
                f"On {self.host}, passwords would travel in the clear. Give --certificate and --key, or "
                "--self-signed; --insecure where nobody can listen, or a proxy on the way encrypts."
            )


def settings_path(db_path: Path) -> Path:
    """Return where the settings of a database are."""
    return db_path / _FILE


def is_deployed(db_path: Path) -> bool:
    """Say whether the directory was made to be served: its database runs when its server does."""
    return settings_path(db_path).exists()


def read_settings(db_path: Path) -> ServerSettings:
    """Read the settings; defaults where there are none. Raises ConfigError for what is wrong."""
    import yaml

    path = settings_path(db_path)
    known = {
        field.name: list if field.default == () else type(field.default) for field in fields(ServerSettings)
    }
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for name, value in dict(values).items():
            if name not in known:
                raise ConfigError(f"{path} has the key {name!r}, which is none of {', '.join(known)}.")
            if type(value) is not known[name]:
                raise ConfigError(f"{path}: {name} cannot be {value!r}; it is a {known[name].__name__}.")
    except FileNotFoundError:
        return ServerSettings()
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise ConfigError(f"Cannot read {path}: {error}.") from error
    return from_values(values)


def from_values(values: Mapping[str, Any]) -> ServerSettings:
    """Return settings of values that JSON or YAML held."""
    lists = {name: tuple(map(str, value)) for name, value in values.items() if isinstance(value, list)}
    return ServerSettings(**{**values, **lists})


def write_settings(db_path: Path, settings: ServerSettings) -> None:
    """Write the settings for people to edit."""
    import yaml

    values = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(settings).items()}
    write_atomically(settings_path(db_path), _HEAD + yaml.safe_dump(values, sort_keys=False), mode=0o600)

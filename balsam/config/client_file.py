"""``~/.balsam/client.yml``: which server this user is logged in to, readable by nobody else."""

import importlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from balsam.config.home import balsam_home
from balsam.exceptions import ConfigError
from balsam.lib.atomic import write_atomically

__all__ = ["ClientSettings", "client_path"]


def client_path() -> Path:
    """Return where the file is: BALSAM_CLIENT_PATH, or in the user's directory."""
    chosen = os.environ.get("BALSAM_CLIENT_PATH")
    return Path(chosen).expanduser() if chosen else balsam_home() / "client.yml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """A login at a server."""

    api_root: str
    token: str = ""
    #: Aware; None where it is not known.
    token_expiry: datetime | None = None
    username: str = ""

    @classmethod
    def load_from_file(cls) -> "ClientSettings | None":
        """Read the file; None when there is none. Raises ConfigError for one that cannot be read."""
        import yaml

        path = client_path()
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
            expiry = values.get("token_expiry")
            return cls(
                api_root=str(values["api_root"]),
                token=str(values.get("token") or ""),
                token_expiry=None if expiry is None else _aware(expiry),
                username=str(values.get("username") or ""),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError) as error:
            raise ConfigError(
                f"Cannot read {path}: {error}. `balsam login --force` writes it anew."
            ) from error

    def build_client(self) -> Any:
        """Have the objects of this process be those of this login, and return their classes.

        They are ``.Job``, ``.Site`` and so on, as `balsam.api` and ``SiteConfig().client`` have them.
        """
        connection = importlib.import_module("balsam.api.connection")
        return connection.log_in_with(self)

    def save_to_file(self) -> Path:
        """Write the file, which only this user may read; return where."""
        import yaml

        path = client_path()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        values = {
            "api_root": self.api_root,
            "username": self.username,
            "token": self.token,
            "token_expiry": None if self.token_expiry is None else self.token_expiry.isoformat(),
        }
        write_atomically(path, yaml.safe_dump(values, sort_keys=False), mode=0o600)
        return path


def _aware(told: object) -> datetime:
    """Read a time; a naive one is UTC."""
    found = told if isinstance(told, datetime) else datetime.fromisoformat(str(told))
    return found if found.tzinfo else found.replace(tzinfo=UTC)

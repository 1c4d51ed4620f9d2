"""Whom to believe that a server is the one: public authorities, or one of the server's own."""

import os
import ssl
from pathlib import Path

from balsam.config.client_file import ClientSettings
from balsam.exceptions import ConfigError

__all__ = ["trust"]


def trust() -> ssl.SSLContext | bool:
    """Return how httpx is to verify: by BALSAM_CA_FILE, else by the ca_file of client.yml, else as usual.

    Raises ConfigError for a file that is none.
    """
    name = os.environ.get("BALSAM_CA_FILE", "") or _remembered()
    if not name:
        return True
    try:
        return ssl.create_default_context(cafile=Path(name).expanduser())
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"Cannot read certificates from {name}, the file of BALSAM_CA_FILE: {error}."
        ) from error


def _remembered() -> str:
    login = ClientSettings.load_from_file()
    return "" if login is None else login.ca_file

"""Whom to believe that a server is the one: public authorities, or one of the server's own."""

import os
import ssl
from pathlib import Path

from balsam.exceptions import ConfigError

__all__ = ["trust"]


def trust(ca_file: str = "") -> ssl.SSLContext | bool:
    """Return how httpx is to verify: by BALSAM_CA_FILE, else by the file that a login names, else as usual.

    Raises ConfigError for a file that is none.
    """
    name = os.environ.get("BALSAM_CA_FILE", "") or ca_file
    if not name:
        return True
    try:
        return ssl.create_default_context(cafile=Path(name).expanduser())
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"Cannot read certificates from {name}, the file of BALSAM_CA_FILE: {error}."
        ) from error

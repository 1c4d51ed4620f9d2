"""Which site a command of `balsam site` is about, and the client that reaches it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from balsam.client import Client
    from balsam.config.site_dir import SiteDir

__all__ = ["client_here", "database_here", "site_at", "site_here"]


def site_here() -> "SiteDir":
    """Return the site one stands in, and have this process work there; raises NoSiteError outside."""
    from balsam.config.site_config import NoSiteError, enter_site
    from balsam.config.site_dir import find_site_dir

    found = find_site_dir()
    if found is None:
        raise NoSiteError
    enter_site(found)
    return found


def site_at(path: "Path") -> "SiteDir":
    """Return the site of a directory, and have this process work there; raises ConfigError for another."""
    from balsam.config.site_config import enter_site
    from balsam.config.site_dir import read_site_dir

    found = read_site_dir(path.expanduser().absolute())
    enter_site(found)
    return found


def client_here() -> "Client":
    """Return the client of this process."""
    from balsam.api.connection import client

    return client()


def database_here() -> str:
    """Return the directory of the active database; '' where a server is reached instead."""
    from balsam.client import InProcess
    from balsam.core.active import active_db_path

    return str(active_db_path()) if isinstance(client_here().transport, InProcess) else ""

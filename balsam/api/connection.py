"""The client that the objects of this process use, and the site they are used from."""

import os

from balsam.client import Client
from balsam.config.site_dir import SiteDir, find_site_dir

__all__ = ["client", "current_site", "use_client"]

_clients: dict[int, Client] = {}


def client() -> Client:
    """Return the client of this process; a forked child gets its own.

    The database is that of the site directory one stands in, else that of BALSAM_DB_PATH.
    """
    if os.getpid() not in _clients:
        site = find_site_dir()
        if site is not None and site.database:
            os.environ["BALSAM_DB_PATH"] = site.database
        _clients[os.getpid()] = Client()
    return _clients[os.getpid()]


def current_site() -> SiteDir | None:
    """Return the site directory one stands in; None outside of all."""
    return find_site_dir()


def use_client(chosen: Client) -> None:
    """Have the objects of this process use another client."""
    _clients[os.getpid()] = chosen

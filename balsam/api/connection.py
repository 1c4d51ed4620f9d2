"""The client that the objects of this process use."""

import os
from typing import TYPE_CHECKING

from balsam.exceptions import LoginNeededError

if TYPE_CHECKING:
    from balsam.client import Client
    from balsam.config.client_file import ClientSettings
    from balsam.config.site_config import ObjectClasses

__all__ = ["client", "log_in_with", "use_client"]

_clients: "dict[int, Client]" = {}


def client() -> "Client":
    """Return the client of this process; a forked child gets its own.

    It reaches the database or the server of the site directory one stands in, else the database of
    BALSAM_DB_PATH, else the server of the last `balsam login`.
    """
    if os.getpid() not in _clients:
        _clients[os.getpid()] = _chosen()
    return _clients[os.getpid()]


def _chosen() -> "Client":
    # most Python applications ask for nothing: they do without all this
    from balsam.client import Client
    from balsam.client.http import server_of
    from balsam.config.client_file import ClientSettings
    from balsam.config.site_dir import find_site_dir

    site = find_site_dir()
    if site is not None and site.database:
        os.environ["BALSAM_DB_PATH"] = site.database
    elif site is not None or not os.environ.get("BALSAM_DB_PATH"):
        login = ClientSettings.load_from_file()
        if site is not None and site.server:
            login = _login_at(site.server, login)
        if login is not None:
            return Client(server_of(login))
    return Client()


def _login_at(server: str, login: "ClientSettings | None") -> "ClientSettings":
    """Return the login if it is at this server; raises LoginNeededError."""
    if login is None or login.api_root.rstrip("/") != server.rstrip("/"):
        elsewhere = f", and you are logged in at {login.api_root}" if login is not None else ""
        raise LoginNeededError(
            f"This site is of the server {server}{elsewhere}: `balsam login --url {server}`."
        )
    return login


def log_in_with(login: "ClientSettings") -> "ObjectClasses":
    """Have the objects of this process be those of a login, and return their classes."""
    from balsam.client import Client
    from balsam.client.http import server_of
    from balsam.config.site_config import ObjectClasses

    use_client(Client(server_of(login)))
    return ObjectClasses()


def use_client(chosen: "Client") -> None:
    """Have the objects of this process use another client."""
    _clients[os.getpid()] = chosen

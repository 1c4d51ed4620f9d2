"""The client that the objects of this process use."""

import os

from balsam.client import Client

__all__ = ["client", "use_client"]

_clients: dict[int, Client] = {}


def client() -> Client:
    """Return the client of this process; a forked child gets its own."""
    return _clients.setdefault(os.getpid(), Client())


def use_client(chosen: Client) -> None:
    """Have the objects of this process use another client."""
    _clients[os.getpid()] = chosen

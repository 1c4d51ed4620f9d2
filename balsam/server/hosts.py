"""By which names clients may call the server, and which a certificate of its own is for."""

import ipaddress
import os

import psutil

from balsam.server.settings import ServerSettings

__all__ = ["addresses", "certified_names", "is_called_so", "own_names", "shown_host"]


def own_names(settings: ServerSettings) -> frozenset[str]:
    """Return the names, in small letters, that the server answers to."""
    node = os.uname().nodename
    given = ("localhost", node, node.split(".")[0], settings.host, *settings.names)
    return frozenset(name.lower() for name in given)


def is_called_so(header: str, names: frozenset[str]) -> bool:
    """Say whether a Host header names this server: by one of its names, or by an address.

    A page that makes a browser believe that a name of its own is this host cannot make it send an address.
    """
    host = header.rpartition(":")[0] if header.rpartition(":")[2].isdecimal() else header
    return host.lower().rstrip(".") in names or _is_address(host.strip("[]"))


def addresses(settings: ServerSettings) -> list[str]:
    """Return the addresses at which the server can be reached."""
    if not _is_address(settings.host) or not ipaddress.ip_address(settings.host).is_unspecified:
        return [settings.host]
    found = [entry.address.partition("%")[0] for all_of in psutil.net_if_addrs().values() for entry in all_of]
    return sorted({address for address in found if _is_address(address)})


def certified_names(settings: ServerSettings) -> list[str]:
    """Return what a certificate for this server is for."""
    return sorted({*own_names(settings), *addresses(settings), "127.0.0.1", "::1"} - {"0.0.0.0", "::"})


def shown_host(settings: ServerSettings) -> str:
    """Return the host as it stands in an address for others."""
    if _is_address(settings.host) and ipaddress.ip_address(settings.host).is_unspecified:
        return settings.names[0] if settings.names else os.uname().nodename
    return f"[{settings.host}]" if ":" in settings.host else settings.host


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True

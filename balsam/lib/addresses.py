"""Addresses of servers, as people type them and files hold them."""

import re
from urllib.parse import urlsplit

__all__ = ["server_address"]

_HOST = re.compile(r"[\w.-]+|[0-9a-fA-F:.]+")
_HOW = "give http://HOST:PORT or https://HOST"


def server_address(text: str) -> str:
    """Return the address of a server, without a slash at its end; one without a scheme is https.

    Raises ValueError for what is none, with what to give instead.
    """
    if "@" in text:  # what stands before it is not shown to anybody
        raise ValueError(f"The address of a server holds no name and no password: {_HOW}")
    address = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(address)
        port_is_good = parts.port != 0
    except ValueError:
        port_is_good = False
    if not port_is_good or parts.scheme not in ("http", "https") or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError(f"{text!r} is no address of a server: {_HOW}")
    if parts.query or parts.fragment or re.search(r"\s", address):
        raise ValueError(f"{text!r} says more than where a server is: {_HOW}")
    return address.rstrip("/")

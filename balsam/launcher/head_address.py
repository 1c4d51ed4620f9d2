"""The address on which a head listens: one that its workers reach, and no more than that."""

import socket
from collections.abc import Sequence

__all__ = ["head_address"]

_LOOPBACK = "127.0.0.1"
#: To find the interface of a route; nothing is sent.
_ANY_PORT = 9


def head_address(other_nodes: Sequence[str]) -> str:
    """Return the address of this host on the way to other nodes; loopback where there are none.

    Where the nodes have no address of their own, as those of an emulated cluster, it is that of this host's
    name.
    """
    if not other_nodes:
        return _LOOPBACK
    for name in (other_nodes[0], other_nodes[-1], socket.gethostname()):
        if address := _address_towards(name):
            return address
    return _LOOPBACK


def _address_towards(name: str) -> str:
    """Return the address from which this host reaches a host; '' when its name is not known."""
    try:
        targets = socket.getaddrinfo(name, _ANY_PORT, type=socket.SOCK_DGRAM)
    except OSError:
        return ""
    for family, kind, protocol, _, target in targets:
        try:
            with socket.socket(family, kind, protocol) as sock:
                sock.connect(target)
                return str(sock.getsockname()[0])
        except OSError:  # no route: the next one
            continue
    return ""

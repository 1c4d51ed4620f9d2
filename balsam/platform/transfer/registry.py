"""Find a transport by the name that stands before the colon of an address."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from balsam.exceptions import UsageError
from balsam.platform.transfer.contract import Transport

__all__ = ["ENTRY_POINTS", "known_transports", "load_transport"]

#: Packages name theirs in this group: ``[project.entry-points."balsam.transfers"]``.
ENTRY_POINTS = "balsam.transfers"
_PACKAGE = "balsam.processing.transfers"
#: Transport -> where its class is.
_TRANSPORTS: Mapping[str, str] = {
    "local": f"{_PACKAGE}.by_copy:ByCopy",
    "link": f"{_PACKAGE}.by_copy:ByLink",
    "rsync": f"{_PACKAGE}.by_rsync:ByRsync",
    "scp": f"{_PACKAGE}.by_scp:ByScp",
    "http": f"{_PACKAGE}.by_http:ByHttp",
    "https": f"{_PACKAGE}.by_http:ByHttp",
    "globus": f"{_PACKAGE}.by_globus:ByGlobus",
    "s3": f"{_PACKAGE}.by_s3:ByS3",
}


@cache
def known_transports() -> frozenset[str]:
    """Name all transports, those of other packages too."""
    return frozenset((*_TRANSPORTS, *entry_points(group=ENTRY_POINTS).names))


def load_transport(name: str) -> Transport:
    """Make a transport; raises UsageError for one that there is not, or that cannot be loaded."""
    try:
        if name in _TRANSPORTS:
            module, _, attribute = _TRANSPORTS[name].partition(":")
            return cast(Transport, getattr(import_module(module), attribute)())
        (found,) = entry_points(group=ENTRY_POINTS, name=name)
        return cast(Transport, found.load()())
    except ValueError:
        raise UsageError(
            f"There is no transport {name!r}: {', '.join(sorted(known_transports()))}."
        ) from None
    except (ImportError, AttributeError, TypeError) as error:
        raise UsageError(f"The transport {name!r} cannot be loaded: {error}.") from error

"""Which site a command of `balsam site` is about, and the client that reaches it."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from balsam.api.models import Site
    from balsam.client import Client
    from balsam.config.site_dir import SiteDir

__all__ = ["client_here", "core_here", "is_active", "site_at", "site_here"]

#: A site whose agent was heard of so lately is active, for those who cannot look at the agent itself.
_ACTIVE = timedelta(minutes=2)


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


def core_here() -> dict[str, str]:
    """Return what a new site's directory says of what holds its jobs: a database directory, or a server."""
    from balsam.client import Http
    from balsam.core.active import active_db_path

    transport = client_here().transport
    return (
        {"server": transport.address} if isinstance(transport, Http) else {"database": str(active_db_path())}
    )


def is_active(site: "Site") -> bool:
    """Whether a site has an agent: on one's own database by its lease, elsewhere by what it last told."""
    from balsam.agent.site_control import agent_of
    from balsam.client import InProcess

    client = client_here()
    if isinstance(client.transport, InProcess):
        return agent_of(client, site.id) is not None
    told = site.last_refresh
    if told is None:
        return False
    aware = told if told.tzinfo else told.replace(tzinfo=UTC)
    return datetime.now(UTC) - aware <= _ACTIVE

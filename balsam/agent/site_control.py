"""Start, find and stop the agent of a site, from another process."""

import os
from collections.abc import Callable

from balsam.agent.control import end_process, is_dead, is_here
from balsam.agent.daemon import SITE, Started, start_daemon
from balsam.client import Client
from balsam.config.site_dir import SiteDir
from balsam.exceptions import UsageError
from balsam.launcher.recovery import recover
from balsam.schemas.sessions import SessionInfo

__all__ = ["agent_of", "check_no_agent", "start_agent", "stop_agent"]


def agent_of(client: Client, site_id: int) -> SessionInfo | None:
    """Return the session of a site's agent that is not known to be dead; None when there is none."""
    found = client.current_service(site_id)
    return None if found is None or is_dead(found.session) else found.session


def check_no_agent(client: Client, site: SiteDir) -> None:
    """Raise UsageError, with where it runs, when a site has an agent that is not dead."""
    found = agent_of(client, site.site_id)
    if found is not None:
        raise UsageError(
            f"The agent of {site.path} is already running on {found.host} [PID {found.pid}]. "
            "To restart it, first use `balsam site stop`."
        )


def start_agent(client: Client, site: SiteDir) -> Started:
    """Start the agent of a site, and return when it is up; raises BalsamError with its own words."""
    check_no_agent(client, site)
    return start_daemon(site.path, SITE)


def stop_agent(client: Client, site: SiteDir, say: Callable[[str], None]) -> None:
    """Stop the agent of a site and wait for its end.

    Raises UsageError when there is none, when it is on another host, and when it does not end.
    """
    found = client.current_service(site.site_id)
    if found is None:
        raise UsageError(f"No agent of {site.path} is running. `balsam site start` starts it.")
    session, log_dir = found.session, site.path / "log"
    if is_dead(session):
        recover(client, log_dir)
        say(f"The site daemon [pid {session.pid}] on {session.host} had died; what it held is free again.")
        return
    if not is_here(session):
        raise UsageError(
            f"The agent of {site.path} runs on {session.host} [pid {session.pid}], and this is "
            f"{os.uname().nodename}. Stop it there: `ssh {session.host} kill {session.pid}`."
        )
    say(f"Sent SIGTERM to Balsam site daemon [pid {session.pid}]")
    say(f"Waiting for site {site.path} to shutdown...")
    if not end_process(session, f"the agent of {site.path}"):
        raise UsageError(f"The site daemon has not ended. `kill -9 {session.pid}` ends it at once.")
    recover(client, log_dir)  # it may have had no time to say that it ends
    say("Site daemon shutdown OK")

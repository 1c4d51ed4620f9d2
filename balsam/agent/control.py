"""Find, show and stop the service of a database, from another process."""

import os
import signal
from pathlib import Path
from typing import Any

from balsam.client import Client
from balsam.exceptions import BalsamError, ConflictError, NotFoundError
from balsam.launcher.recovery import recover
from balsam.lib.processes import ProcessIdentity, is_alive
from balsam.lib.waiting import wait_for
from balsam.schemas.services import ServiceInfo
from balsam.schemas.sessions import SessionInfo

__all__ = ["check_is_free", "end_process", "is_dead", "is_here", "service_row", "stop_service"]

_STOP_PATIENCE_SEC = 20.0
_TIME = "%Y-%m-%d %H:%M:%S"


def check_is_free(client: Client, db_path: Path) -> None:
    """Raise BalsamError, with where it runs, when a service that is not dead has the database."""
    found = client.current_service()
    if found is None or is_dead(found.session):
        return
    session, here = found.session, is_alive(_identity(found.session))
    since = found.started.astimezone().strftime(_TIME)
    where = f"host {session.host} (pid {session.pid}), since {since}"
    stop = "`balsam service --stop` stops it" if here else f"stop it there: {_stop_there(session)}"
    raise BalsamError(
        f"The service of {db_path} runs on {where}.\n`balsam service --status` shows how it goes; {stop}."
    )


def stop_service(client: Client, log_dir: Path) -> str:
    """Stop the service, wait for its end, and return what was done.

    Raises ConflictError when it runs where it cannot be reached from, or does not end.
    """
    found = client.current_service()
    if found is None:
        return "No service runs on this database."
    session = found.session
    name = f"the service on host {session.host} (pid {session.pid})"
    if is_dead(session):
        recover(client, log_dir)
        return f"{name[0].upper()}{name[1:]} had died; what it held is free again."
    if not is_alive(_identity(session)):
        raise ConflictError(f"Cannot stop {name} from here. Stop it there: {_stop_there(session)}.")
    if not end_process(session, name):
        raise ConflictError(
            f"{name[0].upper()}{name[1:]} was told to end, and has not within {_STOP_PATIENCE_SEC:.0f} s. "
            f"See its log; `kill -9 {session.pid}` ends it at once, and the next service goes on."
        )
    recover(client, log_dir)  # it may have had no time to say that it ends
    return f"Stopped {name}."


def service_row(
    client: Client, db_path: Path, *, site_id: int = 1, start: str = "balsam service"
) -> dict[str, Any]:
    """Return all that is known of the service; raises NotFoundError when there is none."""
    found = client.current_service(site_id)
    if found is None:
        raise NotFoundError(f"No service runs on {db_path}. Start it with `{start}`.")
    status = found.status
    return {
        "db_path": str(db_path),
        "state": _state(found),
        "host": found.session.host,
        "pid": found.session.pid,
        "since": found.started,
        "log": status.get("log", ""),
        "scheduler": status.get("scheduler", ""),
        "scheduler_problem": status.get("scheduler_problem", ""),
        "policy": status.get("policy", ""),
        "policy_problem": status.get("policy_problem", ""),
        "waits_for": status.get("waits_for", ""),
        "unfit": status.get("unfit", []),
        "queues": status.get("queues", []),
        "loops": status.get("loops", []),
    }


def _state(found: ServiceInfo) -> str:
    if is_dead(found.session):
        return "dead"
    if found.session.expires_sec < 0:
        return "silent: its lease is over"
    return "running"


def is_dead(session: SessionInfo) -> bool:
    """Whether the process is known to be dead, or is elsewhere and its lease is over."""
    alive = is_alive(_identity(session))
    return alive is False or (alive is None and session.expires_sec < 0)


def is_here(session: SessionInfo) -> bool:
    """Whether the process is alive on this host."""
    return is_alive(_identity(session)) is True


def end_process(session: SessionInfo, name: str) -> bool:
    """Tell a process of this host to end, and wait; False when it has not in time."""
    try:
        os.kill(session.pid, signal.SIGTERM)
    except ProcessLookupError:
        return True
    except PermissionError as error:
        raise ConflictError(f"Cannot stop {name}: it is another user's.") from error
    return wait_for(lambda: is_alive(_identity(session)) is False, _STOP_PATIENCE_SEC)


def _stop_there(session: SessionInfo) -> str:
    return f"`ssh {session.host} kill {session.pid}`"


def _identity(session: SessionInfo) -> ProcessIdentity:
    return ProcessIdentity(session.host, session.boot_id, session.pid, session.start_time)

"""The one service of a site: who it is, and what it says of itself. The database directory is the first."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from balsam.core import leases, sql
from balsam.core.models.session import SERVICE, Session
from balsam.core.models.site import FIRST_SITE
from balsam.core.retrying import retrying
from balsam.exceptions import ConflictError
from balsam.schemas.services import RunsSince, ServiceInfo
from balsam.schemas.sessions import SessionInfo, SessionRequest

__all__ = ["current_service", "open_service", "runs_since", "tell_status"]


def open_service(request: SessionRequest) -> SessionInfo:
    """Open the session of a service; raises ConflictError when another process has it.

    Asking again after a reply was lost gives the session that was opened.
    """
    try:
        with transaction.atomic():
            return leases.open_session(request)
    except IntegrityError as error:
        found = current_service(request.site_id)
        if found is not None and _is_same(found.session, request):
            return found.session
        raise ConflictError("Another service has this database or site.") from error


def _is_same(session: SessionInfo, request: SessionRequest) -> bool:
    asked = (request.host, request.boot_id, request.pid, request.start_time)
    return (session.host, session.boot_id, session.pid, session.start_time) == asked


@retrying
def current_service(site_id: int = FIRST_SITE) -> ServiceInfo | None:
    """Return the service of a site whose session has not ended; None if there is none."""
    live = Session.objects.filter(kind=SERVICE, site_id=site_id, ended=None)
    found = live.values_list("id", "created", "status").first()
    if found is None:
        return None
    session_id, created, status = found
    sessions = (info for info in leases.live_sessions() if info.session_id == session_id)
    return next((ServiceInfo(info, created, status) for info in sessions), None)


@retrying
def tell_status(session_id: int, status: Mapping[str, Any]) -> None:
    """Store what a process says of itself."""
    Session.objects.filter(pk=session_id).update(status=dict(status))


@retrying
def runs_since(event: int, launchers_from: datetime) -> RunsSince:
    """Say whether a launcher that came after ``launchers_from`` has started a job since ``event``."""
    has_run, last = sql.fetch("runs_since", event=event, launchers_from=launchers_from)[0]
    return RunsSince(bool(has_run), int(last))

"""What belongs to whom: a site and all that is at it are its owner's; for everybody else it is not there.

Every check raises NotFoundError, with the words that it raises for what really is not there.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db.models import QuerySet

from balsam.core.models import QueuedLaunch, Session, Site
from balsam.exceptions import NotFoundError
from balsam.schemas.accounts import AccountId

__all__ = [
    "Check",
    "check_batch_job",
    "check_request",
    "check_session",
    "check_site",
    "only_sites",
    "own_sites",
    "owners_of",
    "require_site",
]

#: (account, value of an argument): raises NotFoundError when that is not the account's.
Check = Callable[[int | None, Any], None]


def own_sites(owner: int | None) -> QuerySet[Site]:
    """Return the sites of an owner (None: of the database): all, or the one that the login is for."""
    sites = Site.objects.filter(owner=owner)
    limit = owner.site_id if isinstance(owner, AccountId) else None
    return sites if limit is None else sites.filter(pk=limit)


def require_site(owner: int | None, site_id: int) -> Site:
    """Return a site of the owner's."""
    site = own_sites(owner).filter(pk=site_id).first()
    if site is None:
        raise NotFoundError(f"There is no site {site_id}. `balsam site ls` lists yours.")
    return site


def check_site(owner: int | None, site_id: int) -> None:
    """Check that a site is the owner's."""
    require_site(owner, site_id)


def check_session(owner: int | None, session_id: int) -> None:
    """Check that a session is at a site of the owner's."""
    if not Session.objects.filter(pk=session_id, site__in=own_sites(owner)).exists():
        raise NotFoundError(f"There is no session {session_id}.")


def owners_of(site_ids: Iterable[int]) -> dict[int, int | None]:
    """Return the owner of each of these sites that is there; None: of the database."""
    return dict(Site.objects.filter(pk__in=list(site_ids)).values_list("pk", "owner"))


def check_batch_job(owner: int | None, batch_job_id: int) -> None:
    """Check that a batch job is at a site of the owner's."""
    if not QueuedLaunch.objects.filter(pk=batch_job_id, site__in=own_sites(owner)).exists():
        raise NotFoundError(f"There is no batch job {batch_job_id}. `balsam queue ls --history` lists yours.")


def check_request(owner: int | None, request: Any) -> None:
    """Check the site that a request names, and the session where it names one."""
    session_id = getattr(request, "session_id", None)
    if session_id is None:
        check_site(owner, request.site_id)
    elif not Session.objects.filter(pk=session_id, site=request.site_id, site__in=own_sites(owner)).exists():
        raise NotFoundError(f"There is no session {session_id} at a site {request.site_id}.")


def only_sites(owner: int | None) -> Mapping[str, Any]:
    """Return the argument that limits an operation to the owner's sites."""
    return {"sites": list(own_sites(owner).values_list("pk", flat=True))}

"""Look for a batch job by its marker, when nobody knows whether the scheduler has taken it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from balsam.batch.desk import Desk
from balsam.platform.scheduler import Listing
from balsam.schemas.batch_jobs import BatchJobInfo

__all__ = ["PATIENCE_SEC", "SETTLE_SEC", "Found", "find_by_marker", "since_when"]

#: Longer than a submit command may run, and what it has sent may be under way after it was killed.
SETTLE_SEC = 120.0
#: So long a complete listing must show nothing, where the account cannot be read or says otherwise.
PATIENCE_SEC = 600.0
#: Clocks of the scheduler and the database may differ by hours.
_SKEW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Found:
    """What came of looking for a marker."""

    #: '' when it was not found.
    scheduler_id: str = ""
    #: The scheduler certainly has not taken it, and will not.
    is_absent: bool = False
    problem: str = ""


def find_by_marker(desk: Desk, info: BatchJobInfo, listing: Listing | None = None) -> Found:
    """Look for a batch job in a listing, which must be younger than ``info``, and in the account.

    Only what was not found long enough after the submission was begun is absent; the database's clock tells.
    """
    listing = listing or desk.ask_listing()
    for job in listing.jobs.values():
        if job.name == info.marker:
            return Found(job.scheduler_id)
    if not listing.is_complete:
        return Found(problem=listing.problem)
    history = desk.ask_history([], since_when(info), info.marker)
    past = () if history is None else history.jobs.values()
    for job_id in (job.scheduler_id for job in past if job.name == info.marker):
        return Found(job_id)
    is_certain = history is not None and history.is_complete
    age_sec = info.age_sec(info.submit_began)
    return Found(
        is_absent=desk.adapter.lists_names and age_sec > (SETTLE_SEC if is_certain else PATIENCE_SEC),
        problem="" if history is None else history.problem,
    )


def since_when(info: BatchJobInfo) -> datetime:
    """Return a time before which accounting need not be searched, whatever its clock says."""
    return (info.submit_began or info.created) - _SKEW

"""Look for a batch job by its marker, when nobody knows whether the scheduler has taken it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from balsam.batch.desk import Desk
from balsam.platform.scheduler import Listing
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobObservation
from balsam.states import BatchJobState

__all__ = ["PATIENCE_SEC", "SETTLE_SEC", "VANISH_SEC", "Found", "find_by_marker", "since_when"]

#: Longer than a submit command may run, and what it has sent may be under way after it was killed.
SETTLE_SEC = 120.0
#: So long a complete listing must show nothing, where the account cannot be read or says otherwise.
PATIENCE_SEC = 600.0
#: What neither listing nor account has known for so long, and not in two looks, is not there.
VANISH_SEC = 30.0
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

    Only what was missed twice, and long enough after the submission was begun, is absent.
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
    has_settled = info.age_sec(info.submit_began) > (SETTLE_SEC if is_certain else PATIENCE_SEC)
    is_absent = has_settled and desk.adapter.lists_names and _is_missed_again(desk, info)
    return Found(is_absent=is_absent, problem="" if history is None else history.problem)


def _is_missed_again(desk: Desk, info: BatchJobInfo) -> bool:
    """Whether an earlier look has missed it, too, since a listing may forget; records the first one."""
    if info.missing_since is None:
        missed = BatchJobObservation(
            scheduler=info.scheduler,
            scheduler_id="",
            state=BatchJobState.UNKNOWN,
            name=info.marker,
            is_missing=True,
        )
        desk.client.observe_batch_jobs([missed], desk.site_id)
        return False
    return info.age_sec(info.missing_since) >= VANISH_SEC


def since_when(info: BatchJobInfo) -> datetime:
    """Return a time before which accounting need not be searched, whatever its clock says."""
    return (info.submit_began or info.created) - _SKEW

"""Cancel a batch job: the wish is committed first, and repeated until the scheduler has confirmed the end."""

from collections.abc import Iterable

from balsam.batch.desk import Desk
from balsam.platform.scheduler import Cancellation
from balsam.schemas.batch_jobs import BatchJobInfo
from balsam.states import BatchJobState

__all__ = ["cancel", "cancel_again"]


def cancel(desk: Desk, batch_job_id: int) -> BatchJobInfo:
    """Ask for the end of a batch job; one that was never submitted ends at once.

    Returns it as it is then: PENDING_DELETION until `refresh` sees that it has ended.
    """
    info = desk.client.request_batch_job_deletion(batch_job_id)
    cancel_again(desk, [info])
    return info


def cancel_again(desk: Desk, infos: Iterable[BatchJobInfo]) -> dict[int, Cancellation]:
    """Ask for the end of those that are to be deleted, and return what each request did, by batch job."""
    return {
        info.batch_job_id: desk.ask_cancel(info.scheduler_id)
        for info in infos
        if info.state is BatchJobState.PENDING_DELETION and info.scheduler_id
    }

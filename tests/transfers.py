"""Jobs with transfers: where their files are, and the wait for what becomes of them."""

from pathlib import Path

from balsam.api import Job, Site, TransferItem
from balsam.states import JobState
from tests.waiting import wait_until

__all__ = ["lanes", "wait_for", "workdir"]


def workdir(site: Site, job: Job) -> Path:
    """Return the working directory of a job."""
    return Path(site.path, "data", job.workdir)


def wait_for(job: Job, state: JobState) -> None:
    """Wait until a job is in a state; what its transfers say is shown where it does not get there."""

    def is_there() -> bool:
        job.refresh_from_db()
        items = list(TransferItem.objects.filter(job_id=job.id))
        assert job.state == state, [item.transfer_info for item in items]
        return True

    wait_until(is_there, what=f"job {job.id} to become {state}")


def lanes(site: Site) -> list[str]:
    """Name the directories of files that have not arrived whole."""
    top = Path(site.path, "data", ".balsam-transfers")
    return [path.name for path in top.iterdir() if path.is_dir()] if top.is_dir() else []

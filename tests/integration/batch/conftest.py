"""A desk at a scheduler inside the test, on the test's database."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F

from balsam.batch import Desk
from balsam.core.models import QueuedLaunch
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobRequest
from tests.tiny_scheduler import TinyScheduler


@pytest.fixture
def tiny() -> TinyScheduler:
    """An empty scheduler."""
    return TinyScheduler()


@pytest.fixture
def desk(db: Path, tiny: TinyScheduler, tmp_path: Path) -> Desk:
    """The desk at it."""
    return tiny.desk(tmp_path)


@pytest.fixture
def request_() -> BatchJobRequest:
    """A request that is fine."""
    return BatchJobRequest(
        scheduler="tiny", project="p", queue="q", num_nodes=2, wall_time_min=30, job_mode="mpi"
    )


@pytest.fixture
def intent(desk: Desk, request_: BatchJobRequest) -> BatchJobInfo:
    """A batch job that is wanted."""
    return desk.client.intend_batch_job(request_)


def let_pass(seconds: float) -> None:
    """Make everything that has happened so far so much older."""
    ago = timedelta(seconds=seconds)
    for name in ("submit_began", "submitting_until", "missing_since"):
        QueuedLaunch.objects.update(**{name: F(name) - ago})

"""A session, and processors and movers that end with the test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from balsam.api import Site
from balsam.client import Client
from balsam.core import leases
from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.lib.processes import this_process
from balsam.processing import Processor
from balsam.processing.transfers import Mover, MoverOptions
from balsam.schemas.jobs import JobReport, JobSpec, Step
from balsam.schemas.sessions import ClaimRequest, ReportReply, Selection, SessionRequest
from balsam.states import JobState as S


@pytest.fixture
def session_id(db: Path) -> int:
    """A session of this process."""
    return open_session()


def open_session() -> int:
    me = this_process()
    request = SessionRequest(
        kind="launcher", host=me.host, boot_id=me.boot_id, pid=me.pid, start_time=me.start_time
    )
    return leases.open_session(request).session_id


@pytest.fixture
def replies() -> list[ReportReply]:
    """What the database has replied to the processors' reports."""
    return []


@pytest.fixture
def start_processor(session_id: int, replies: list[ReportReply]) -> Iterator[Callable[..., Processor]]:
    """Start a processor: ``start_processor(concurrency=2, client=…)``."""
    started: list[Processor] = []

    def start(client: Client | None = None, *, concurrency: int = 2, **options: object) -> Processor:
        processor = Processor(
            client or Client(), session_id, concurrency=concurrency, on_reported=replies.append, **options
        )
        started.append(processor)
        processor.start()
        return processor

    yield start
    for processor in started:
        processor.stop(5)


@pytest.fixture
def start_mover(session_id: int, site: Site) -> Iterator[Callable[..., Mover]]:
    """Start a mover for the site that the module has as a fixture: ``start_mover(batch_size=2)``."""
    started: list[Mover] = []

    def start(session: int = session_id, site_id: int = site.id, **options: Any) -> Mover:
        mover = Mover(Client(), session, MoverOptions(selection=Selection(site_id=site_id), **options))
        started.append(mover)
        mover.start()
        return mover

    yield start
    for mover in started:
        mover.stop(5)


@pytest.fixture
def add_app(db: Path) -> Callable[..., ApplicationDefinition]:
    """Save an application whose program is /bin/true."""

    def add(name: str = "app", **fields: str) -> ApplicationDefinition:
        return ApplicationDefinition.objects.create(name=name, **{"executable": "/bin/true", **fields})

    return add


@pytest.fixture
def add_job(db: Path, tmp_path: Path) -> Callable[..., BalsamJob]:
    """Save a job of the application "app", whose processes have MARK in their environment."""

    def add(name: str = "job", **fields: object) -> BalsamJob:
        job = BalsamJob(
            name=name,
            **{"workflow": "test", "application": "app", "environ_vars": {"MARK": str(tmp_path)}, **fields},
        )
        job.save()
        return job

    return add


class StandIn:
    """A launcher without processes: it claims jobs and says what became of them."""

    def __init__(self, session_id: int) -> None:
        self.session_id = session_id
        self.client = Client()

    def run_all(self, end: S = S.RUN_DONE) -> list[JobSpec]:
        """Run every runnable job to its end."""
        jobs = self.client.claim(ClaimRequest(session_id=self.session_id, limit=100))
        steps = (Step(S.RUNNING), Step(end, message="as the test wants it"))
        reports = [JobReport(job_id=job.job_id, attempt=job.attempt, steps=steps) for job in jobs]
        self.client.report(self.session_id, reports)
        return jobs


@pytest.fixture
def launcher(session_id: int) -> StandIn:
    """A launcher of the same session as the processors."""
    return StandIn(session_id)

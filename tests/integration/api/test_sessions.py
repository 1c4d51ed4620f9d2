"""Sessions of the Python API: programs of users that take jobs and tell what becomes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from balsam.api import App, BatchJob, EventLog, Job, Session, Site
from balsam.core import batch_observations, leases
from balsam.core.models import BalsamJob, QueuedLaunch
from balsam.core.models import Session as SessionRow
from balsam.exceptions import NotFoundError, RefusedError, UsageError
from balsam.schemas.batch_jobs import BatchJobObservation
from balsam.states import BatchJobState
from tests.jobs import at_once


@pytest.fixture
def app(db: Path) -> App:
    site = Site.objects.create("theta", "/sites/theta")
    return App.objects.create(site_id=site.id, name="Hello", command_template="echo hello")


@pytest.fixture
def session(app: App) -> Session:
    return Session.objects.create(app.site_id)


def make(app: App, *shapes: dict[str, Any]) -> list[Job]:
    return Job.objects.bulk_create([Job(f"w/{n}", app.id, **shape) for n, shape in enumerate(shapes)])


def names(jobs: Sequence[Job]) -> list[str]:
    return [job.workdir for job in jobs]


def expire(session: Session) -> None:
    SessionRow.objects.filter(pk=session.id).update(expires="2020-01-01T00:00:00Z")


def test_session_is_made_found_renewed_and_deleted(app: App, session: Session):
    assert (session.site_id, session.batch_job_id) == (app.site_id, None)
    assert list(Session.objects.filter(id=[session.id])) == [session]
    before = session.heartbeat
    session.tick()
    session.refresh_from_db()
    assert session.heartbeat > before
    number = session.id
    session.delete()
    assert session.id is None and Session.objects.filter(id=number).count() == 0
    with pytest.raises(Session.DoesNotExist):
        session.tick()
    with pytest.raises(UsageError, match="not been saved"):
        Session(app.site_id).tick()


def test_jobs_of_two_sessions_are_never_the_same(app: App):
    make(app, *[{}] * 60)
    sessions = [Session.objects.create(app.site_id) for _ in range(3)]
    taken = at_once(*(lambda one=one: one.acquire_jobs(20) for one in sessions))
    numbers = [job.id for jobs in taken for job in jobs]
    assert len(numbers) == len(set(numbers)) == 60
    assert sessions[0].acquire_jobs(20) == []
    assert {job.state for jobs in taken for job in jobs} == {"PREPROCESSED"}


def test_run_is_told_step_by_step_and_kept_by_the_session_until_it_ends(app: App, session: Session):
    make(app, {}, {})
    first, second = session.acquire_jobs(2)
    first.state = second.state = "RUNNING"
    assert Job.objects.bulk_update([first, second]) == 2
    assert BalsamJob.objects.filter(session_id=session.id).count() == 2
    first.state, first.state_data = "RUN_DONE", {"note": "fine"}
    first.save()
    second.state, second.state_data = "RUN_ERROR", {"returncode": 3, "error": "no such file"}
    second.save()
    assert (first.state, second.state, second.return_code) == ("JOB_FINISHED", "FAILED", 3)
    assert BalsamJob.objects.filter(session_id=session.id).count() == 0
    told = EventLog.objects.get(job_id=[second.id], to_state="RUN_ERROR")
    assert told.data["error"] == "no such file"
    assert EventLog.objects.filter(data={"note": "fine"}).count() == 1
    assert EventLog.objects.filter(data={"returncode": 3}).count() == 1


def test_who_lost_its_lease_tells_nothing_any_more(app: App, session: Session):
    make(app, {})
    (stale,) = session.acquire_jobs(1)
    stale.tags = {"by": "me"}
    stale.save()
    Job.objects.bulk_refresh([stale])
    stale.state = "RUNNING"
    assert Job.objects.bulk_update([stale]) == 1
    expire(session)
    leases.reap_expired()
    other = Session.objects.create(app.site_id)
    (fresh,) = other.acquire_jobs(1)
    assert fresh.state == "RESTART_READY"
    fresh.state = "RUNNING"
    fresh.save()
    stale.state = "RUN_DONE"
    with pytest.raises(RefusedError, match="not held by session"):
        stale.save()
    assert Job.objects.get(id=fresh.id).state == "RUNNING"
    with pytest.raises(Session.DoesNotExist):
        session.acquire_jobs(1)


def test_what_runs_in_a_deleted_session_has_run_out_of_time(app: App, session: Session):
    make(app, {}, {})
    running, waiting = session.acquire_jobs(2)
    running.state = "RUNNING"
    running.save()
    session.delete()
    states = [event.to_state for event in EventLog.objects.filter(job_id=[running.id]).order_by("id")]
    assert states[-2:] == ["RUN_TIMEOUT", "RESTART_READY"]
    again = Session.objects.create(app.site_id).acquire_jobs(5)
    assert {job.id for job in again} == {running.id, waiting.id}


def test_session_ends_with_its_batch_job_which_its_jobs_show(app: App):
    batch_job = BatchJob.objects.create(
        app.site_id, num_nodes=1, wall_time_min=10, job_mode="mpi", project="p", queue="q"
    )
    session = Session.objects.create(app.site_id, batch_job_id=batch_job.id)
    make(app, {})
    (job,) = session.acquire_jobs(1)
    assert (session.batch_job_id, job.batch_job_id) == (batch_job.id, batch_job.id)
    QueuedLaunch.objects.filter(pk=batch_job.id).update(
        scheduler="slurm", scheduler_id="77", status="running"
    )
    seen = BatchJobObservation(scheduler="slurm", scheduler_id="77", state=BatchJobState.FINISHED)
    batch_observations.observe_batch_jobs([seen], app.site_id)
    assert Session.objects.filter(id=session.id).count() == 0
    assert Job.objects.get(id=job.id).batch_job_id == batch_job.id
    assert Job.objects.filter(batch_job_id=batch_job.id).count() == 1
    with pytest.raises(NotFoundError, match=f"no batch job {batch_job.id}"):
        Session.objects.create(app.site_id, batch_job_id=batch_job.id)


#: What is asked for -> the jobs that come, of those below.
SHAPES = [
    {"num_nodes": 1, "node_packing_count": 4, "tags": {"a": "1"}},
    {"num_nodes": 2, "wall_time_min": 30, "ranks_per_node": 2},
    {"num_nodes": 1, "wall_time_min": 90},
    {"num_nodes": 1, "ranks_per_node": 8, "tags": {"a": "1", "b": "2"}},
    {"num_nodes": 4, "wall_time_min": 5},
]
ASKED = [
    ({}, "01234"),
    ({"max_num_jobs": 2}, "01"),
    ({"max_wall_time_min": 30}, "0134"),
    ({"max_wall_time_min": 0}, "01234"),
    ({"max_nodes_per_job": 1}, "023"),
    ({"max_nodes_per_job": 0}, ""),
    ({"serial_only": True}, "02"),
    ({"filter_tags": {"a": "1"}}, "03"),
    ({"filter_tags": {"a": "1", "b": "3"}}, ""),
    ({"states": ["RESTART_READY"]}, ""),
    ({"states": {"PREPROCESSED"}}, "01234"),
    ({"sort_by": "long_large_first"}, "21403"),
    ({"max_aggregate_nodes": 2.3}, "023"),
    ({"max_aggregate_nodes": 2.2}, "02"),
    ({"max_aggregate_nodes": 3.0, "sort_by": "long_large_first"}, "21"),
    ({"max_aggregate_nodes": 0.0}, ""),
]


@pytest.mark.parametrize(("asked", "come"), ASKED)
def test_jobs_come_by_what_is_asked_for(app: App, session: Session, asked: dict[str, Any], come: str):
    make(app, *SHAPES)
    assert names(session.acquire_jobs(**{"max_num_jobs": 100, **asked})) == [f"w/{n}" for n in come]


def test_jobs_of_named_applications_come_alone(app: App, session: Session):
    other = App.objects.create(site_id=app.site_id, name="Other", command_template="echo")
    make(app, {})
    wanted = Job.objects.create("x", other.id)
    assert names(session.acquire_jobs(9, app_ids=[other.id])) == names([wanted])
    assert session.acquire_jobs(9, app_ids=[other.id + 100]) == []


def test_eight_packed_and_two_large_jobs_share_five_nodes(app: App, session: Session):
    make(app, *[{"node_packing_count": 8}] * 8, *[{"num_nodes": 2}] * 3)
    assert len(session.acquire_jobs(100, max_aggregate_nodes=5)) == 10


def test_priority_comes_first(app: App, session: Session):
    make(app, {}, {"priority": 5, "num_nodes": 9}, {"priority": -1})
    assert names(session.acquire_jobs(9)) == ["w/1", "w/0", "w/2"]


@pytest.mark.parametrize(
    "asked",
    [{"max_num_jobs": 0}, {"max_num_jobs": 2049}, {"sort_by": "short"}, {"states": ["READY_TO_GO"]},
     {"max_nodes_per_job": "2"}],
)  # fmt: skip
def test_impossible_request_is_refused(session: Session, asked: dict[str, Any]):
    with pytest.raises(UsageError):
        session.acquire_jobs(**{"max_num_jobs": 1, **asked})


def test_nobody_but_the_program_that_holds_a_job_has_it_run(app: App):
    (job,) = make(app, {})
    job.state = "RUNNING"
    with pytest.raises(RefusedError, match="Only a launcher"):
        job.save()

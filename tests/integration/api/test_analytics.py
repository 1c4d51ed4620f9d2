"""Reports on how a campaign went: of nothing, of jobs that restart, of those that still run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from balsam.analytics import available_nodes, throughput_report, utilization_report
from balsam.api import App, BatchJob, EventLog, Job
from balsam.core.models import JobEvent, QueuedLaunch
from balsam.states import JobState as S
from tests.jobs import claim, open_session, report

START = datetime(2026, 1, 1, tzinfo=UTC)
BEGIN = START.replace(tzinfo=None)


@pytest.fixture
def app(db: Path) -> App:
    return App.objects.create(site_id=1, name="Hello", command_template="echo")


def at(*minutes: int) -> list[datetime]:
    """Minutes after the start, as reports tell them."""
    return [BEGIN + timedelta(minutes=minute) for minute in minutes]


def make_events_minutes_apart() -> None:
    """Give the moves of all jobs the times 0, 1, 2, … minutes, in their order."""
    for minute, pk in enumerate(JobEvent.objects.order_by("pk").values_list("pk", flat=True)):
        JobEvent.objects.filter(pk=pk).update(timestamp=START + timedelta(minutes=minute))


def test_reports_of_nothing_are_empty(app: App):
    assert throughput_report(EventLog.objects.all()) == ([], [])
    assert utilization_report(EventLog.objects.filter(job_id=[])) == ([], [])
    assert available_nodes(BatchJob.objects.all()) == ([], [])


def test_throughput_counts_those_that_enter_the_state(app: App):
    jobs = [Job(f"w{n}", app.id) for n in range(3)]
    for job in jobs:
        job.save()
    session = open_session()
    report(session, claim(session), S.RUNNING, S.RUN_DONE)
    times, counts = throughput_report(EventLog.objects.filter(job_id=[job.id for job in jobs]))
    assert counts == [1, 2, 3] and times == sorted(times) and times[0].tzinfo is None
    only = EventLog.objects.filter(job_id=jobs[0].id)
    assert throughput_report(only, to_state="RUN_DONE")[1] == [1]
    assert throughput_report(only, to_state="FAILED") == ([], [])


def test_utilization_goes_up_and_down_by_the_nodes_of_jobs(app: App):
    small = Job("small", app.id, node_packing_count=8)
    large = Job("large", app.id, num_nodes=2)
    for job in (small, large):
        job.save()
    session = open_session()
    specs = {spec.num_nodes: spec for spec in claim(session)}
    JobEvent.objects.all().delete()
    report(session, [specs[1]], S.RUNNING)
    report(session, [specs[2]], S.RUNNING, S.RUN_TIMEOUT)
    (again,) = claim(session)
    report(session, [again], S.RUNNING)
    make_events_minutes_apart()
    moved = [(event.from_state, event.to_state) for event in EventLog.objects.order_by("id")]
    assert moved == [
        *(("PREPROCESSED", "RUNNING"), ("PREPROCESSED", "RUNNING"), ("RUNNING", "RUN_TIMEOUT")),
        *(("RUN_TIMEOUT", "RESTART_READY"), ("RESTART_READY", "RUNNING")),
    ]
    assert utilization_report(EventLog.objects.all()) == (at(0, 1, 2, 4), [0.125, 2.125, 0.125, 2.125])
    assert utilization_report(EventLog.objects.all(), node_weighting=False)[1] == [1, 2, 1, 2]
    late = EventLog.objects.filter(timestamp_after=START + timedelta(seconds=90))
    assert utilization_report(late) == (at(2, 4), [0, 2])


def test_notes_are_no_moves(app: App):
    job = Job("w", app.id)
    job.save()
    session = open_session()
    (spec,) = claim(session)
    report(session, [spec], S.RUNNING)
    JobEvent.objects.create(job_id=spec.job_id, from_state="RUNNING", to_state="RUNNING", message="a note")
    assert utilization_report(EventLog.objects.all())[1] == [1]


def test_nodes_are_those_of_batch_jobs_that_started(app: App):
    def batch_job(num_nodes: int, start: int | None, end: int | None, status: str) -> None:
        made = BatchJob.objects.create(
            site_id=1, num_nodes=num_nodes, wall_time_min=10, job_mode="mpi", queue="q", project="p"
        )
        began, ended = (None if m is None else START + timedelta(minutes=m) for m in (start, end))
        end_text = "completed" if status == "finished" else None
        rows = QueuedLaunch.objects.filter(pk=made.id)
        rows.update(started=began, ended=ended, status=status, end=end_text)

    batch_job(4, 0, 10, "finished")
    batch_job(2, 5, None, "running")
    batch_job(8, None, None, "queued")
    batch_job(16, None, 1, "finished")
    assert available_nodes(BatchJob.objects.all()) == (at(0, 5, 10), [4, 6, 2])

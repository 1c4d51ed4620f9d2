"""Times in a history never go backwards, however late the reports come and whatever ages they tell."""

from datetime import timedelta
from itertools import pairwise

import pytest
from django.db.models.functions import Now

from balsam.core import transitions
from balsam.core.models import BalsamJob, JobEvent
from balsam.schemas.jobs import JobReport, Step
from balsam.states import JobState as S
from tests.jobs import add_job, add_jobs, claim, open_session

pytestmark = pytest.mark.usefixtures("db")


def assert_in_order(job: BalsamJob) -> None:
    times = [event.timestamp for event in job.events()]
    assert all(before <= after for before, after in pairwise(times)), job.state_history
    seconds = job.runtime_seconds
    assert seconds is not None and seconds >= 0


def test_an_end_that_seems_older_than_the_reported_start_is_put_after_it():
    job = add_job()
    session = open_session()
    (spec,) = claim(session)
    for step in (Step(S.RUNNING, 0.0), Step(S.RUN_DONE, 30.0)):
        transitions.report(session, [JobReport(job_id=spec.job_id, attempt=1, steps=(step,))])
    assert_in_order(job)


def test_a_start_that_seems_older_than_the_job_is_put_after_its_birth():
    job = add_job()
    session = open_session()
    (spec,) = claim(session)
    steps = (Step(S.RUNNING, 3600.0), Step(S.RUN_DONE, 1800.0))
    transitions.report(session, [JobReport(job_id=spec.job_id, attempt=1, steps=steps)])
    assert_in_order(job)
    assert job.events()[-1].timestamp >= job.created


def test_steps_of_one_report_are_in_order_though_they_took_no_time():
    jobs = add_jobs(200)
    session = open_session()
    reports = [
        JobReport(job_id=spec.job_id, attempt=1, steps=(Step(S.RUNNING, 0.001), Step(S.RUN_DONE, 0.001)))
        for spec in claim(session, limit=200)
    ]
    transitions.report(session, reports)
    for job in jobs:
        assert_in_order(job)


def test_a_run_lasts_as_long_as_the_ages_tell():
    job = add_job()
    JobEvent.objects.update(timestamp=Now() - timedelta(hours=1))
    session = open_session()
    (spec,) = claim(session)
    steps = (Step(S.RUNNING, 20.0), Step(S.RUN_DONE, 5.0))
    transitions.report(session, [JobReport(job_id=spec.job_id, attempt=1, steps=steps)])
    assert_in_order(job)
    assert job.runtime_seconds == 15.0

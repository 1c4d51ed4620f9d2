"""What scripts of the database generation ask of many jobs: queries, the source manager, reports."""

import os
from datetime import UTC, datetime

import django.core.exceptions
import pytest
from django.db import transaction

from balsam.core import models
from balsam.core.models import (
    BalsamJob,
    process_job_times,
    safe_select,
)
from balsam.lib.processes import this_process
from balsam.states import JobState as S
from tests.jobs import (
    add_app,
    add_job,
    add_jobs,
    claim,
    messages,
    open_session,
    report,
    state_of,
)

pytestmark = pytest.mark.usefixtures("db")

# -- queries -------------------------------------------------------------------------------------------


def test_the_queries_scripts_make_work():
    jobs = [add_job(name=f"sim{i}", workflow="wf", num_nodes=i + 1, data={"x": i}) for i in range(4)]
    objects = BalsamJob.objects

    assert objects.all().count() == len(objects.all()) == 4
    assert list(objects.filter(name__contains="m1")) == [jobs[1]]
    assert objects.filter(name__icontains="SIM", workflow__startswith="w").count() == 4
    assert objects.exclude(num_nodes__gt=2).count() == objects.filter(num_nodes__lte=2).count() == 2
    assert objects.filter(job_id__in=[jobs[0].pk, str(jobs[1].pk)]).count() == 2
    assert objects.get(job_id__contains=str(jobs[2].pk)[:13]) == jobs[2]
    assert objects.filter(data__x=3).get() == jobs[3]
    assert objects.filter(state__in=models.RUNNABLE_STATES).exists()
    assert objects.order_by("-num_nodes").first() == jobs[3]
    assert objects.filter(queued_launch__isnull=True, application__contains="tru")[1:3].count() == 2
    assert list(objects.order_by("name").values_list("name", flat=True)) == ["sim0", "sim1", "sim2", "sim3"]
    assert objects.values("workflow").distinct().count() == 1
    assert sum(job.num_nodes for job in objects.iterator()) == 10
    assert bool(objects.filter(name="none")) is False
    with pytest.raises(BalsamJob.DoesNotExist):
        objects.get(name="none")
    with pytest.raises(django.core.exceptions.ObjectDoesNotExist):
        objects.get(name="none")
    with pytest.raises(BalsamJob.MultipleObjectsReturned):
        objects.get(workflow="wf")


def test_create_and_get_or_create():
    add_app()
    job = BalsamJob.objects.create(name="a", application="true")
    assert job.state == state_of(job) == "PREPROCESSED"

    assert BalsamJob.objects.get_or_create(name="a") == (job, False)
    other, was_created = BalsamJob.objects.get_or_create(name="b", defaults={"application": "true"})
    assert was_created and state_of(other) == "PREPROCESSED"
    same, was_created = BalsamJob.objects.update_or_create(name="b", defaults={"args": "-x"})
    assert not was_created and same == other
    assert BalsamJob.objects.get(name="b").args == "-x"


def test_update_changes_columns_and_states():
    jobs = add_jobs(3)

    assert BalsamJob.objects.filter(pk__in=[jobs[0].pk, jobs[1].pk]).update(args="-x", num_nodes=2) == 2
    assert BalsamJob.objects.filter(args="-x").count() == 2
    assert BalsamJob.objects.filter(args="-x").update(state="JOB_FINISHED") == 2
    assert state_of(jobs[0]) == "JOB_FINISHED"
    assert "Set by a query" in messages(jobs[0])


def test_delete():
    jobs = add_jobs(3)

    assert jobs[0].delete()[0] == 1
    assert BalsamJob.objects.all().delete() == (2, {"core.BalsamJob": 2})
    assert not models.JobEvent.objects.exists()


def test_bulk_create_inserts_all_or_none():
    add_app()
    jobs = BalsamJob.objects.bulk_create([BalsamJob(name=str(i), application="true") for i in range(5)], 2)
    assert [job.state for job in jobs] == ["PREPROCESSED"] * 5
    assert len({job.number for job in jobs}) == 5

    twin = BalsamJob(job_id=jobs[0].pk)
    with pytest.raises(django.db.IntegrityError):
        BalsamJob.objects.bulk_create([BalsamJob(), twin])
    assert BalsamJob.objects.count() == 5
    with pytest.raises(TypeError, match="ignore_conflicts"):
        BalsamJob.objects.bulk_create([BalsamJob()], ignore_conflicts=True)


def test_scripts_may_open_transactions_of_their_own():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        add_job()
        _ = 1 / 0
    assert not BalsamJob.objects.exists()


def test_refresh_from_db_sees_what_others_did():
    job = add_job()
    BalsamJob.objects.get(pk=job.pk).update_state("FAILED")
    job.refresh_from_db()

    assert job.state == "FAILED"


def test_safe_select_locks_in_the_order_of_ids():
    jobs = add_jobs(5)
    with transaction.atomic():
        assert [job.pk for job in safe_select(BalsamJob.objects.all())] == sorted(job.pk for job in jobs)


# -- the source manager --------------------------------------------------------------------------------


def test_the_source_shows_free_jobs_and_own_ones():
    mine, others = add_jobs(2)
    assert set(BalsamJob.source.acquire([mine.pk])) == {mine.pk}
    claim(open_session())

    assert set(BalsamJob.source.all()) == {mine}
    mine.refresh_from_db()
    assert mine.lock == BalsamJob.source.lock_str == f"{this_process().host}:{os.getpid()}"
    assert BalsamJob.source.acquire([mine.pk, others.pk]) == []
    BalsamJob.source.release([mine])
    assert BalsamJob.objects.get(pk=mine.pk).lock == ""


def test_acquired_jobs_are_given_back_all_at_once():
    jobs = add_jobs(4)
    assert len(BalsamJob.source.acquire(jobs)) == 4
    BalsamJob.source.release(jobs[:1])
    assert BalsamJob.objects.filter(lock="").count() == 1
    BalsamJob.source.release_all_owned()

    assert BalsamJob.objects.filter(lock="").count() == 4


def test_a_script_whose_lease_was_taken_gets_a_new_one():
    job = add_job()
    BalsamJob.source.acquire([job.pk])
    models.Session.objects.update(expires=datetime(2000, 1, 1, tzinfo=UTC))
    assert BalsamJob.source.clear_stale_locks() == 1

    assert BalsamJob.source.acquire([job.pk]) == [job.pk]


def test_the_source_is_filtered_by_workflow_and_state():
    one, other = add_job(workflow="abc"), add_job(workflow="xyz")
    other.update_state("FAILED")
    source = BalsamJob.source

    assert list(source.by_states("FAILED")) == list(source.by_states(["FAILED"])) == [other]
    assert list(source.by_states({"PREPROCESSED": 1})) == [one]
    source.workflow = "bc"
    try:
        assert list(source.all()) == [one]
    finally:
        source.workflow = ""


def test_get_runnable():
    serial = add_job(wall_time_minutes=5)
    packed = add_job(ranks_per_node=4)
    wide = add_job(num_nodes=8, wall_time_minutes=60)
    add_job().update_state("FAILED")
    get = BalsamJob.source.get_runnable

    assert set(get(max_nodes=8)) == {serial, packed, wide}
    assert set(get(max_nodes=2)) == {serial, packed}
    assert set(get(max_nodes=8, mpi_only=True)) == {packed, wide}
    assert set(get(max_nodes=1, serial_only=True)) == {serial}
    assert set(get(max_nodes=8, remaining_minutes=10)) == {serial, packed}
    assert get(max_nodes=8, order_by="-num_nodes").first() == wide
    for bounds in ({"max_nodes": 0}, {"max_nodes": 2, "serial_only": True}):
        with pytest.raises(ValueError):
            get(**bounds)
    with pytest.raises(ValueError):
        get(max_nodes=1, mpi_only=True, serial_only=True)


def test_ticking_and_launch_checks_may_be_asked_for():
    BalsamJob.source.start_tick()
    BalsamJob.source.check_qLaunch()


# -- reports -------------------------------------------------------------------------------------------


def test_process_job_times_has_every_occurrence():
    job = add_job(max_error_retries=1, workflow="a")
    add_job(workflow="b")
    session = open_session()
    for _ in range(2):
        specs = [spec for spec in claim(session) if spec.job_id == str(job.pk)]
        report(session, specs, S.RUNNING, S.RUN_ERROR)

    times = process_job_times()
    assert {state: len(times[state]) for state in ("CREATED", "RUNNING", "RUN_ERROR", "FAILED")} == {
        "CREATED": 2,
        "RUNNING": 2,
        "RUN_ERROR": 2,
        "FAILED": 1,
    }
    assert times["RUN_DONE"] == []
    assert all(time.tzinfo is None for time in times["RUNNING"])
    assert len(process_job_times(BalsamJob.objects.filter(workflow="b"))["CREATED"]) == 1
    assert set(process_job_times()) <= set(models.STATES)


def test_utilization_counts_every_way_of_leaving():
    done, killed, lost = add_job(), add_job(num_nodes=3), add_job()
    session = open_session()
    specs = {spec.job_id: spec for spec in claim(session)}
    report(session, list(specs.values()), S.RUNNING)
    report(session, [specs[str(done.pk)]], S.RUN_DONE)
    killed.update_state("USER_KILLED")
    report(session, [specs[str(lost.pk)]])

    times, counts = models.utilization_report()
    assert counts == [1, 2, 3, 2, 1, 0] and times == sorted(times)
    assert models.utilization_report(weigh_by="nodes")[1][2] == 5
    assert models.utilization_report(weigh_by="nodes")[1][-1] == 0


def test_reports_take_time_data():
    second = [datetime(2021, 1, 1, 0, 0, i) for i in range(60)]
    data = {"RUNNING": second[:2], "RUN_DONE": [second[5]], "RUN_ERROR": [second[1]]}

    assert models.utilization_report(data) == ([second[0], second[1], second[1], second[5]], [1, 2, 1, 0])
    assert models.throughput_report(data) == ([second[5]], [1])
    assert models.throughput_report({}) == ([], [])


def test_error_report():
    minute = [datetime(2021, 1, 1, 0, i) for i in range(10)]

    assert models.error_report({}) is None
    assert models.error_report({"RUN_ERROR": [minute[0]]}) == (minute[:2], [1])
    assert models.error_report({"RUN_ERROR": [minute[2], minute[0], minute[0]]}) == (minute[:4], [2, 0, 1])

"""The Python API on one's own database: objects, queries, and many at once."""

import threading
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from balsam.api import App, BatchJob, EventLog, Job, Site
from balsam.exceptions import RefusedError, UnknownFieldError, UsageError
from balsam.states import JobState as S
from tests.jobs import claim, open_session, report


@pytest.fixture
def app(db: Path) -> App:
    return App.objects.create(
        site_id=1, name="Hello", command_template="echo {{ name }}", parameters={"name": {"required": True}}
    )


def new_job(app: App, workdir: str = "w", **fields: Any) -> Job:
    return Job(workdir, app.id, parameters={"name": "x"}, **fields)


def run_all(*, site_id: int = 1, end: S = S.RUN_DONE) -> None:
    """Run what is runnable, as a launcher does."""
    session = open_session()
    report(session, claim(session, site_id=site_id), S.RUNNING, end)


def test_object_is_creating_then_clean_then_dirty(app: App):
    job = new_job(app)
    assert job._state == "creating" and job.id is None
    job.save()
    assert job._state == "clean" and job.state == "PREPROCESSED"
    job.num_nodes = 4
    assert job._state == "dirty"
    job.save()
    assert job._state == "clean" and Job.objects.get(job.id).num_nodes == 4
    job.save()


def test_change_inside_a_dict_is_noticed(app: App):
    job = new_job(app, data={"a": 1}, tags={"k": "v"})
    job.save()
    job.data["b"] = [1, 2]
    job.tags["l"] = "w"
    job.save()
    again = Job.objects.get(id=job.id)
    assert again.data == {"a": 1, "b": [1, 2]} and again.tags == {"k": "v", "l": "w"}


def test_misspelt_names_are_errors_with_the_right_one(app: App):
    with pytest.raises(TypeError, match=r"'num_node'.*'num_nodes'"):
        Job("w", app.id, num_node=2)
    with pytest.raises(TypeError, match="'stat'"):
        Job.objects.filter(stat="FAILED")
    job = new_job(app)
    with pytest.raises(AttributeError, match=r"'num_node'.*'num_nodes'"):
        job.num_node = 2
    with pytest.raises(AttributeError, match=r"'wrkdir'.*'workdir'"):
        _ = job.wrkdir
    with pytest.raises(UnknownFieldError):
        Job.objects.filter(id=1).update(app_id=3)


def test_what_is_fixed_or_read_only_cannot_be_assigned(app: App):
    job = new_job(app)
    with pytest.raises(AttributeError, match="before it is saved"):
        job.state = "FAILED"
    job.save()
    with pytest.raises(AttributeError, match="after it was saved"):
        job.app_id = 5
    run_all()
    event = EventLog.objects.first()
    with pytest.raises(AttributeError, match="read-only"):
        event.to_state = "FAILED"
    with pytest.raises(AttributeError, match="read-only"):
        EventLog()
    assert not hasattr(EventLog.objects, "create")


def test_application_is_found_by_id_name_object_and_path(db: Path):
    other = Site.objects.create("other", "/other")
    here = App.objects.create(site_id=1, name="Hello", class_path="demo.Hello")
    there = App.objects.create(site_id=other.id, name="Hello", command_template="echo")
    assert Job("a", "demo.Hello").app_id == here.id
    assert Job("a", app_id="Hello", site_name="other").app_id == there.id
    assert Job("a", there).app_id == there.id
    with pytest.raises(App.MultipleObjectsReturned):
        Job("a", "Hello")
    with pytest.raises(App.DoesNotExist, match="'Hallo'"):
        Job("a", "Hallo")
    with pytest.raises(ValueError, match=r"sync\(\)"):
        Job("a", type("Unknown", (), {}))


def test_site_is_found_by_its_name(db: Path):
    site = Site.objects.create("thetagpu_tutorial", path=Path("/sites/t"))
    assert Site.objects.get("thetagpu_tutorial") == site
    with pytest.raises(Site.DoesNotExist):
        Site.objects.get("nowhere")
    with pytest.raises(UsageError, match="full path"):
        Site("x", "relative")


def test_bulk_create_keeps_the_order_and_returns_new_objects(app: App):
    made = Job.objects.bulk_create([new_job(app, f"w/{n}", tags={"n": str(n)}) for n in range(50)])
    assert [job.workdir for job in made] == [f"w/{n}" for n in range(50)]
    assert [job.id for job in made] == sorted(job.id for job in made)
    with pytest.raises(TypeError):
        Job.objects.bulk_create(new_job(app))  # type: ignore[arg-type]


def test_queries_chain_slice_and_are_lazy(app: App):
    Job.objects.bulk_create([new_job(app, f"w/{n}") for n in range(10)])
    query = Job.objects.filter(workdir__contains="w/").order_by("-id")
    assert query.count() == 10 and len(query) == 10 and bool(query)
    names = [job.workdir for job in query]
    assert names[0] == "w/9"
    fresh = Job.objects.order_by("-id")
    assert [job.workdir for job in fresh[2:8]] == names[2:8]
    assert [job.workdir for job in fresh[2:8][1:3]] == names[3:5]
    assert [job.workdir for job in fresh[2:8:2]] == names[2:8:2]
    assert fresh[3].workdir == names[3]
    assert [job.workdir for job in fresh[8:]] == names[8:]
    assert len(fresh[4:4]) == 0
    with pytest.raises(AttributeError):
        fresh[1:3].filter(id=1)
    with pytest.raises(AttributeError):
        fresh[1:3].order_by("id")
    with pytest.raises(AssertionError):
        _ = fresh[-1]
    with pytest.raises(IndexError):
        Job.objects.filter(state="FAILED").first()
    assert list(Job.objects.filter(id=[])) == []
    assert Job.objects.filter(state={"PREPROCESSED", "FAILED"}).count() == 10


def test_many_are_changed_and_deleted_at_once(app: App):
    jobs = Job.objects.bulk_create([new_job(app, f"w/{n}", tags={"w": "x"}) for n in range(6)])
    assert Job.objects.filter(tags={"w": "x"}).update(num_nodes=2) == 6
    jobs[0].state = "FAILED"
    jobs[1].num_nodes = 7
    Job.objects.bulk_refresh(jobs[2:])
    assert Job.objects.bulk_update(jobs) == 2
    assert all(job._state == "clean" for job in jobs)
    assert [job.num_nodes for job in Job.objects.all()] == [2, 7, 2, 2, 2, 2]
    assert Job.objects.filter(state="FAILED").delete() == 1
    jobs[1].delete()
    assert jobs[1].id is None and Job.objects.count() == 4
    with pytest.raises(Job.DoesNotExist):
        jobs[0].refresh_from_db()
    with pytest.raises(NotImplementedError):
        BatchJob.objects.all().delete()


def test_refused_change_is_told_and_keeps_none_of_the_others(app: App):
    first, second = Job.objects.bulk_create([new_job(app, "a"), new_job(app, "b")])
    first.state = second.state = "FAILED"
    run_all()
    Job.objects.filter(id=second.id).update(state="RESTART_READY")
    with pytest.raises(RefusedError, match=str(first.id)):
        Job.objects.bulk_update([first, second])
    assert [job.state for job in Job.objects.all()] == ["JOB_FINISHED", "FAILED"]
    assert first._state == "dirty" and second._state == "clean"


def test_parents_and_children_are_found(app: App):
    parent = new_job(app, "p")
    parent.save()
    child = new_job(app, "c", parent_ids=[parent.id])
    child.save()
    assert child.state == "AWAITING_PARENTS" and child.parent_ids == {parent.id}
    assert list(child.parent_query()) == [parent]
    assert list(parent.children_query()) == [child]
    run_all()
    child.refresh_from_db()
    assert child.state == "PREPROCESSED"


def test_waiting_ends_when_the_jobs_do(app: App):
    jobs = Job.objects.bulk_create([new_job(app, f"w/{n}") for n in range(3)])
    assert Job.objects.wait(jobs, timeout=0.05).done == []

    def finish() -> None:
        try:
            run_all()
        finally:
            connection.close()

    thread = threading.Thread(target=finish)
    thread.start()
    done, not_done = Job.objects.wait(jobs, timeout=60, poll_interval=60)
    thread.join()
    assert [job.state for job in done] == ["JOB_FINISHED"] * 3 and not_done == []
    assert list(Job.objects.as_completed(jobs)) == jobs
    assert jobs[0].done()


def test_waiting_for_what_does_not_end_times_out(app: App):
    job = new_job(app)
    job.save()
    with pytest.raises(FutureTimeoutError):
        job.wait(0.05)
    with pytest.raises(TimeoutError):
        next(Job.objects.as_completed([job], timeout=0.05))
    assert Job.objects.wait([]) == ([], [])


def test_events_come_newest_first_with_naive_utc_times(app: App):
    new_job(app, tags={"workflow": "hello"}).save()
    run_all()
    yesterday = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=1)
    events = EventLog.objects.filter(timestamp_after=yesterday)
    assert [event.to_state for event in events] == ["JOB_FINISHED", "RUN_DONE", "RUNNING", "PREPROCESSED"]
    times = [event.timestamp for event in events]
    assert times == sorted(times, reverse=True) and times[0].tzinfo is None
    assert EventLog.objects.filter(tags={"workflow": "other"}).count() == 0
    assert Job.objects.first().last_update.tzinfo is not None


def test_batch_job_is_asked_for(db: Path):
    site = Site.objects.get(id=1)
    batch_job = BatchJob.objects.create(
        num_nodes=1, wall_time_min=10, queue="training-gpu", project="Comp_Perf_Workshop", site_id=site.id,
        filter_tags={"workflow": "hello_deps"}, job_mode="mpi",
    )  # fmt: skip
    assert batch_job.state == "pending_submission"
    batch_job.state = "pending_deletion"
    batch_job.save()
    assert BatchJob.objects.get(id=batch_job.id).state != "pending_submission"


def test_objects_are_shown_as_yaml_and_json(app: App):
    job = new_job(app, tags={"k": "v"})
    assert "workdir: w\n" in str(job) and "tags:\n  k: v\n" in str(job)
    job.save()
    assert job.display_dict()["last_update"] == job.last_update.isoformat()
    assert repr(job).startswith("Job(workdir='w'")
    assert job == Job.objects.get(id=job.id) and job != new_job(app)

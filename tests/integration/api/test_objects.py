"""The Python API on one's own database: objects, queries, and many at once."""

import threading
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from balsam.api import (
    App,
    AppParameter,
    BatchJob,
    BatchJobPartition,
    EventLog,
    Job,
    JobMode,
    Site,
    TransferDirection,
    TransferSlot,
)
from balsam.core.models import QueuedLaunch
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


def test_whoever_saves_an_old_object_changes_its_own_fields_alone(app: App):
    job = new_job(app, data={"a": 1})
    job.save()
    other = Job.objects.get(job.id)
    other.num_nodes, other.state = 4, "FAILED"
    other.save()
    job.tags = {"k": "v"}
    job.save()
    assert (job.num_nodes, job.tags, job.state) == (4, {"k": "v"}, "FAILED")
    job.num_nodes = 5
    other.delete()
    with pytest.raises(Job.DoesNotExist, match="has been deleted"):
        job.save()
    for act in (other.save, other.refresh_from_db, other.delete):
        with pytest.raises(Job.DoesNotExist):
            act()
    with pytest.raises(UsageError, match="not been saved"):
        new_job(app).delete()


def test_change_in_place_of_what_stays_is_refused_and_never_lost(app: App):
    job = new_job(app)
    job.save()
    job.parent_ids.add(17)
    with pytest.raises(AttributeError, match="parent_ids of a Job cannot be set after it was saved"):
        job.save()
    with pytest.raises(AttributeError):
        Job.objects.bulk_update([job])
    batch_job = ask(app, filter_tags={"a": "b"})
    batch_job.filter_tags["c"] = "d"
    with pytest.raises(AttributeError, match="filter_tags"):
        batch_job.save()
    event = EventLog.objects.first()
    event.data["x"] = 1
    with pytest.raises(AttributeError, match="EventLog is read-only"):
        event.save()
    site = Site.objects.create("limits", "/sites/limits")
    site.allowed_queues["debug"] = {"max_nodes": 2}
    site.allowed_projects.append("mine")
    site.save()
    again = Site.objects.get(id=site.id)
    assert (again.allowed_queues, again.allowed_projects) == ({"debug": {"max_nodes": 2}}, ["mine"])


def test_change_inside_of_serialized_parameters_is_noticed(db: Path):
    app = App.objects.create(site_id=1, name="Run", class_path="run.Run", parameters={"a": {}})
    job = Job("w", app.id, parameters={"a": [(1, 2)]})
    job.parameters["a"].append({3})
    job.save()
    assert Job.objects.get(job.id).parameters == {"a": [(1, 2), {3}]}
    assert job.parameters == {"a": [(1, 2), {3}]} and job._state == "clean"
    job.parameters["a"].append(4)
    assert job._state == "dirty"
    assert Job.objects.bulk_update([job]) == 1
    assert Job.objects.get(job.id).get_parameters() == {"a": [(1, 2), {3}, 4]}


def test_lists_that_cannot_be_are_refused(app: App):
    job = new_job(app)
    job.save()
    twin = Job.objects.get(job.id)
    job.num_nodes = twin.num_nodes = 3
    with pytest.raises(UsageError, match="twice"):
        Job.objects.bulk_update([job, twin])
    with pytest.raises(UsageError, match="not been saved"):
        Job.objects.bulk_update([new_job(app)])
    with pytest.raises(UsageError, match="is there already"):
        Job.objects.bulk_create([job])
    assert Job.objects.bulk_update([]) == 0 and Job.objects.bulk_create([]) == []


def test_paths_may_be_given_as_paths_and_come_back_as_such(app: App, tmp_path: Path):
    site = Site.objects.create("here", tmp_path)
    assert Site.objects.get("here").path == tmp_path
    site.path = tmp_path / "other"
    site.save()
    assert site.path == tmp_path / "other" and site.display_dict()["path"] == str(tmp_path / "other")
    job = new_job(app, Path("a") / "b")  # type: ignore[arg-type]
    job.workdir = Path("c")  # type: ignore[assignment]
    job.save()
    assert job.workdir == "c" and job.resolve_workdir(tmp_path) == tmp_path / "c"


def test_names_of_older_scripts_mean_the_same(app: App):
    path = Site.objects.get(id=1).path
    job = Job("w", app_name="Hello", site_path=path, parameters={"name": "x"})
    job.save()
    assert job.app_id == app.id and job.app is not None and job.load_app().__name__ == "Hello"
    assert job.site_id == 1


def ask(app: App, **fields: Any) -> BatchJob:
    shape = {"num_nodes": 2, "wall_time_min": 10, "job_mode": "mpi", "queue": "q", "project": "p"}
    return BatchJob.objects.create(**{"site_id": app.site_id, **shape, **fields})


def test_batch_job_knows_its_partitions_and_checks_itself(app: App):
    parts = [BatchJobPartition(JobMode.MPI, 1, {"role": "leader"}), BatchJobPartition(JobMode.SERIAL, 1)]
    batch_job = BatchJob.objects.get(id=ask(app, partitions=parts, optional_params={"shout": "yes"}).id)
    assert batch_job.partitions == parts and ask(app).partitions is None
    assert batch_job.partitions_to_cli_args() == "--part mpi:1:role=leader --part serial:1"
    queues, params = {"q": {"max_nodes": 2, "max_walltime": 10}}, {"shout": "no"}
    batch_job.validate(queues, ["p"], params)
    batch_job.validate({}, [], params)
    for allowed, told in (
        (({"other": {}}, ["p"], params), "queue 'q'"),
        (({"q": {"max_nodes": 1}}, ["p"], params), "2 nodes are more than the 1"),
        (({"q": {"max_walltime": 9}}, ["p"], params), "10 minutes are more than the 9"),
        ((queues, ["mine"], params), "project 'p'"),
        ((queues, ["p"], {}), "no parameter shout"),
    ):
        with pytest.raises(UsageError, match=told):
            batch_job.validate(*allowed)
    for bad in ({"job_mode": "mpii"}, {"partitions": [{"num_nodes": 2}]}, {"partitions": [{"mode": "mpi"}]}):
        with pytest.raises(UsageError):
            ask(app, **bad)


def test_site_refuses_batch_jobs_that_it_does_not_allow(db: Path):
    site = Site.objects.create("strict", "/sites/strict")
    app = App.objects.create(site_id=site.id, name="true", command_template="true")
    ask(app, queue="any", num_nodes=999, optional_params={"x": "1"})
    site.allowed_queues, site.allowed_projects = {"q": {"max_nodes": 2, "max_walltime": 60}}, ["p"]
    site.save()
    ask(app, num_nodes=2)
    for refused, told in (
        ({"queue": "other"}, "queue 'other'"),
        ({"num_nodes": 3}, "3 nodes are more than the 2"),
        ({"wall_time_min": 61}, "61 minutes are more than the 60"),
        ({"project": "theirs"}, "project 'theirs'"),
        ({"optional_params": {"x": "1"}}, "no parameter x"),
    ):
        with pytest.raises(UsageError, match=told):
            ask(app, **refused)
    fine = {"site_id": app.site_id, "num_nodes": 1, "wall_time_min": 9, "job_mode": "mpi", "project": "p"}
    with pytest.raises(UsageError, match="queue 'other'"):
        BatchJob.objects.bulk_create([BatchJob(queue=queue, **fine) for queue in ("q", "other")])
    assert BatchJob.objects.count() == 2, "all or none are made"


def test_batch_jobs_are_ended_by_a_query(app: App):
    first, second = ask(app), ask(app, queue="r")
    assert BatchJob.objects.filter(queue="q").update(state="pending_deletion") == 1
    assert BatchJob.objects.get(id=first.id).state == "finished"
    second.state = "pending_deletion"
    assert BatchJob.objects.bulk_update([second]) == 1
    with pytest.raises(RefusedError, match="pending_deletion"):
        BatchJob.objects.filter(id=first.id).update(state="queued")


def test_numbers_of_schedulers_may_be_numbers(app: App):
    QueuedLaunch.objects.filter(pk=ask(app).id).update(scheduler_id="6777")
    assert BatchJob.objects.get(scheduler_id=6777) == BatchJob.objects.get(scheduler_id="6777")
    assert EventLog.objects.filter(scheduler_id=6777).count() == 0


def test_batch_job_of_a_job_can_be_set_to_one_of_its_site(app: App):
    job, batch_job = new_job(app), ask(app)
    job.save()
    job.batch_job_id = batch_job.id
    job.save()
    assert Job.objects.get(batch_job_id=batch_job.id) == job
    with pytest.raises(RefusedError, match="no batch job 999"):
        Job.objects.filter(id=job.id).update(batch_job_id=999)


def test_time_of_a_change_that_somebody_tells_is_kept_beside_that_of_the_database(app: App):
    job = new_job(app)
    job.save()
    job.state, job.state_timestamp = "FAILED", datetime(2020, 1, 2, tzinfo=UTC)
    job.state_data = {"message": "by hand", "why": "tired"}
    job.save()
    assert job.state_timestamp is None and job.state_data is None
    event = EventLog.objects.first()
    assert event.timestamp > datetime(2021, 1, 1) and event.data["state_timestamp"].startswith("2020-01-02")
    assert list(EventLog.objects.filter(data={"message": "by hand"})) == [event]
    assert EventLog.objects.filter(data="why:tired").count() == 1
    assert EventLog.objects.filter(data={"why": "awake"}).count() == 0


def test_long_lists_of_ids_are_read_as_if_at_once(app: App):
    jobs = Job.objects.bulk_create([new_job(app, f"w/{n}") for n in range(1_203)])
    numbers = [job.id for job in reversed(jobs)]
    query = Job.objects.filter(id=[*numbers, numbers[0], 10**6])
    assert query.count() == 1_203
    assert [job.id for job in query] == sorted(numbers)
    assert [job.id for job in query.order_by("-id")[2:5]] == numbers[2:5]
    assert [job.workdir for job in query.order_by("workdir")[:3]] == ["w/0", "w/1", "w/10"]
    assert query.first().id == min(numbers)
    events = EventLog.objects.filter(job_id=numbers)
    assert len(events) == 1_203 and events[0].timestamp >= events[1_202].timestamp
    new_job(app, "child", parent_ids=[numbers[0], numbers[-1]]).save()
    assert Job.objects.filter(parent_id=numbers).count() == 1
    assert Job.objects.filter(id=numbers).update(num_nodes=2) == 1_203
    assert Job.objects.filter(id=numbers).delete() == 1_203


def test_application_takes_parameters_and_slots_as_objects(db: Path):
    app = App.objects.create(
        site_id=1,
        name="Sim",
        command_template="sim {{ x }}",
        parameters={"x": AppParameter(required=False, default="1")},
        transfers={"inp": TransferSlot(True, TransferDirection.IN, "in.txt")},
    )
    assert app.parameters["x"] == {"required": False, "default": "1", "help": ""}
    assert (app.transfers["inp"]["direction"], app.transfers["inp"]["recursive"]) == ("in", False)


def test_change_of_a_site_is_a_sign_of_life(db: Path):
    site = Site.objects.create("theta", "/sites/theta")
    assert site.last_refresh is None
    site.allowed_projects = ["mine"]
    site.save()
    first = site.last_refresh
    assert first is not None and list(Site.objects.filter(last_refresh_after=first)) == []
    Site.objects.filter(id=site.id).update(queued_jobs={"1": {"state": "queued"}})
    assert list(Site.objects.filter(last_refresh_after=first)) == [Site.objects.get(id=site.id)]


def test_owner_of_a_site_is_no_field(db: Path):
    site = Site.objects.get(id=1)
    with pytest.raises(AttributeError, match="owner_id"):
        site.owner_id = 7
    for change in ({"owner_id": 7}, {"owner": 7}, {"id": 9}):
        with pytest.raises(UnknownFieldError):
            Site.objects.filter(id=1).update(**change)


def test_defaults_of_a_job_are_those_promised(app: App):
    job = new_job(app)
    job.save()
    promised = {
        "tags": {}, "data": {}, "return_code": None, "num_nodes": 1, "ranks_per_node": 1,
        "threads_per_rank": 1, "threads_per_core": 1, "launch_params": {}, "gpus_per_rank": 0.0,
        "node_packing_count": 1, "wall_time_min": 0, "priority": 0, "on_parent_failure": "fail",
        "parent_ids": set(), "batch_job_id": None, "pending_file_cleanup": False,
    }  # fmt: skip
    assert {name: getattr(job, name) for name in promised} == promised


@pytest.mark.parametrize(
    "field", ["num_nodes", "ranks_per_node", "threads_per_rank", "threads_per_core", "node_packing_count"]
)
def test_resources_below_one_are_refused(app: App, field: str):
    with pytest.raises(UsageError, match=field):
        new_job(app, **{field: 0})
    job = new_job(app)
    job.save()
    setattr(job, field, 0)
    with pytest.raises(UsageError, match=field):
        job.save()


def test_different_fields_of_many_jobs_are_changed_at_once(app: App):
    jobs = Job.objects.bulk_create([new_job(app, f"w/{n}") for n in range(4)])
    jobs[0].num_nodes = 2
    jobs[1].tags, jobs[1].data = {"a": "b"}, {"c": 1}
    Job.objects.filter(id=jobs[2].id).update(state="RESTART_READY")
    jobs[2].state = "RESTART_READY"  # where it is already
    jobs[3].state, jobs[3].num_nodes = "FAILED", 3
    before = EventLog.objects.count()
    assert Job.objects.bulk_update(jobs) == 4
    stored = list(Job.objects.order_by("id"))
    assert [job.num_nodes for job in stored] == [2, 1, 1, 3]
    assert [job.state for job in stored] == ["PREPROCESSED", "PREPROCESSED", "RESTART_READY", "FAILED"]
    assert (stored[1].tags, stored[1].data) == ({"a": "b"}, {"c": 1})
    assert EventLog.objects.filter(to_state="FAILED").count() == 1 and EventLog.objects.count() == before + 1


def test_batch_jobs_are_found_by_each_filter(app: App):
    other = Site.objects.create("other", "/other")
    first, second = ask(app, filter_tags={"a": "1", "b": "2"}), ask(app, queue="r", site_id=other.id)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    QueuedLaunch.objects.filter(pk=first.id).update(
        scheduler_id="7", status="finished", end="completed", started=begin, ended=begin + timedelta(hours=1)
    )
    later, earlier = begin + timedelta(minutes=30), begin - timedelta(minutes=30)
    for filters in (
        {"id": [first.id]}, {"site_id": 1}, {"state": ["finished"]}, {"scheduler_id": 7}, {"queue": "q"},
        {"filter_tags": {"a": "1"}}, {"start_time_before": later}, {"start_time_after": earlier},
        {"end_time_after": later}, {"end_time_before": begin + timedelta(hours=2)},
    ):  # fmt: skip
        assert [found.id for found in BatchJob.objects.filter(**filters)] == [first.id], filters
    assert [found.id for found in BatchJob.objects.filter(site_id=[1, other.id]).order_by("-id")] == [
        second.id,
        first.id,
    ]
    assert BatchJob.objects.filter(filter_tags={"a": "2"}).count() == 0

"""Saving writes what was changed and no more: no state, lock or history of an object that is stale."""

import uuid
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from balsam.core.models import BalsamJob, JobEvent
from balsam.exceptions import CycleError, InvalidParentsError, InvalidStateError, NotFoundError, UsageError
from tests.jobs import add_app, add_job, add_jobs, claim, finish, history, open_session, run_all, state_of

pytestmark = pytest.mark.usefixtures("db")


def stored(job: BalsamJob) -> BalsamJob:
    return BalsamJob.objects.get(pk=job.pk)


def queries_of(action: Any) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        action()
    return [query["sql"] for query in captured]


# -- stale objects -------------------------------------------------------------------------------------


def test_a_stale_object_does_not_bring_a_killed_job_back():
    job = add_job(data={"x": 1})
    stale = stored(job)
    job.update_state("USER_KILLED")

    stale.data["y"] = 2
    stale.save()

    assert (state_of(job), stored(job).data) == ("USER_KILLED", {"x": 1, "y": 2})


def test_a_stale_object_does_not_touch_state_lock_or_history():
    job = add_job()
    stale = stored(job)
    session = open_session()
    specs = claim(session)
    before = stored(job)

    stale.args = "--new"
    stale.save()

    after = stored(job)
    assert (after.state, after.lock, after.session_id) == (before.state, before.lock, session)
    assert after.args == "--new"
    finish(session, specs)
    stale.description = "late"
    stale.save()
    assert state_of(job) == "JOB_FINISHED"
    assert history(job).count("JOB_FINISHED") == 1


def test_different_columns_of_two_objects_both_survive():
    job = add_job()
    one, other = stored(job), stored(job)
    one.args, other.num_nodes = "-x", 4
    one.save()
    other.save()

    assert (stored(job).args, stored(job).num_nodes) == ("-x", 4)


def test_a_state_assigned_in_memory_moves_the_job():
    job = add_job()
    job.state = "JOB_FINISHED"
    job.save()

    assert state_of(job) == "JOB_FINISHED"
    assert history(job)[-1] == "JOB_FINISHED"


def test_a_state_assigned_to_a_stale_object_is_refused_but_the_rest_is_saved():
    job = add_job()
    stale = stored(job)
    job.update_state("USER_KILLED")
    stale.state, stale.args = "JOB_FINISHED", "-x"

    with pytest.raises(InvalidStateError, match="was read as PREPROCESSED and is USER_KILLED now"):
        stale.save()
    assert (state_of(job), stored(job).args) == ("USER_KILLED", "-x")


def test_a_lock_assigned_in_memory_is_not_written():
    job = add_job()
    job.lock = "somebody:1"
    job.attempt = 7
    job.save()

    assert (stored(job).lock, stored(job).attempt) == ("", 0)


# -- what is written -----------------------------------------------------------------------------------


def test_saving_an_unchanged_job_asks_nothing():
    job = stored(add_job(data={"x": {"y": [1, 2]}}))

    assert queries_of(job.save) == []


def test_a_change_deep_in_the_data_is_saved():
    job = stored(add_job(data={"x": {"y": [1, 2]}}))
    job.data["x"]["y"].append(3)
    (query,) = queries_of(job.save)

    assert stored(job).data == {"x": {"y": [1, 2, 3]}}
    assert '"data"' in query and '"args"' not in query and '"state"' not in query


def test_a_change_right_after_saving_is_saved_too():
    job = add_job()
    for i in range(3):
        job.data["x"] = i
        job.save()
    job.data.clear()
    job.save()

    assert stored(job).data == {}


def test_a_value_that_was_put_back_is_not_written():
    job = stored(add_job(args="a"))
    job.args = "b"
    job.args = "a"

    assert queries_of(job.save) == []


def test_update_fields_limits_what_is_written():
    job = add_job()
    job.args, job.num_nodes = "-x", 4
    job.save(update_fields=["args"])
    assert (stored(job).args, stored(job).num_nodes) == ("-x", 1)
    job.save()
    assert stored(job).num_nodes == 4


def test_a_job_read_in_part_writes_only_what_was_set():
    job = BalsamJob.objects.only("name").get(pk=add_job(args="keep", data={"x": 1}).pk)
    job.description = "new"
    job.data = {}
    job.save()

    assert (stored(job).args, stored(job).description, stored(job).data) == ("keep", "new", {})


def test_saving_a_deleted_job_says_that_it_is_gone():
    job = add_job()
    stored(job).delete()
    job.args = "-x"

    with pytest.raises(NotFoundError, match="no longer in the database"):
        job.save()


def test_a_job_with_a_new_id_is_another_job():
    job = add_job(name="a", data={"x": 1})
    first = job.pk
    job.pk = None
    job.state = "CREATED"
    job.save()

    assert BalsamJob.objects.count() == 2
    assert job.pk != first and stored(job).data == {"x": 1}
    assert history(job) == ["CREATED", "PREPROCESSED"]


def test_a_save_that_fails_leaves_the_object_as_it_was():
    add_app()
    job = BalsamJob(name="a", application="true", num_nodes=0)
    with pytest.raises(UsageError):
        job.save()
    assert (job.state, job._state.adding) == ("CREATED", True)
    job.num_nodes = 1
    job.save()

    assert state_of(job) == "PREPROCESSED"


# -- columns that decide where a job stands ------------------------------------------------------------


def test_another_application_brings_its_preprocess_hook():
    add_app("hooked", preprocess="/bin/true")
    job = add_job()
    job.application = "hooked"
    job.save()

    assert job.state == state_of(job) == "STAGED_IN"
    BalsamJob.objects.filter(pk=job.pk).update(application="true")
    assert state_of(job) == "PREPROCESSED"


def test_something_to_stage_in_sends_the_job_back():
    job = add_job()
    job.stage_in_url = "/some/where"
    job.save()

    assert job.state == state_of(job) == "READY"


def test_a_job_told_not_to_wait_goes_on():
    child = add_job(add_job())
    child.wait_for_parents = False
    child.save()
    assert child.state == state_of(child) == "PREPROCESSED"
    child.wait_for_parents = True
    child.save()
    assert child.state == state_of(child) == "AWAITING_PARENTS"


def test_a_held_job_that_may_ignore_its_parent_goes_on():
    parent = add_job()
    child = add_job(parent, on_parent_failure="hold")
    parent.update_state("FAILED")
    assert state_of(child) == "AWAITING_PARENTS"
    BalsamJob.objects.filter(pk=child.pk).update(on_parent_failure="ignore")

    assert state_of(child) == "PREPROCESSED"


def test_a_started_job_is_not_sent_back():
    add_app("hooked", preprocess="/bin/true")
    job = add_job()
    session = open_session()
    claim(session)
    job.application = "hooked"
    job.save()

    assert state_of(job) == "PREPROCESSED"


def test_a_preprocess_hook_added_later_is_for_jobs_that_wait_to_start():
    app = add_app("sim")
    waiting, done = add_job(application="sim"), add_job(application="sim")
    done.update_state("JOB_FINISHED")
    app.preprocess = "/bin/true"
    app.save()
    assert (state_of(waiting), state_of(done)) == ("STAGED_IN", "JOB_FINISHED")


def test_saving_an_application_does_not_repeat_its_hook():
    app = add_app("sim", preprocess="/bin/true")
    job = add_job(application="sim")
    job.update_state("PREPROCESSED")
    app.description = "new"
    app.save()

    assert state_of(job) == "PREPROCESSED"


# -- queries -------------------------------------------------------------------------------------------


def test_expressions_may_be_set_by_a_query():
    add_jobs(3, num_nodes=2)
    BalsamJob.objects.update(num_nodes=F("num_nodes") * 2)

    assert BalsamJob.objects.filter(num_nodes=4).count() == 3


@pytest.mark.parametrize("values", [{"lock": ""}, {"attempt": 1}, {"session": None}, {"number": 5}])
def test_a_query_does_not_set_what_the_core_keeps(values: dict[str, Any]):
    with pytest.raises(UsageError, match="kept by Balsam itself"):
        BalsamJob.objects.update(**values)


def test_bulk_update_does_not_set_states():
    jobs = add_jobs(2)
    for job in jobs:
        job.args = "-x"
    assert BalsamJob.objects.bulk_update(jobs, ["args"]) == 2
    with pytest.raises(UsageError, match="batch_update_state"):
        BalsamJob.objects.bulk_update(jobs, ["state"])


# -- new jobs with parents -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "policy", "expected"),
    [
        ("PREPROCESSED", "fail", "AWAITING_PARENTS"),
        ("JOB_FINISHED", "fail", "PREPROCESSED"),
        ("FAILED", "fail", "FAILED"),
        ("USER_KILLED", "fail", "FAILED"),
        ("FAILED", "ignore", "PREPROCESSED"),
        ("FAILED", "hold", "AWAITING_PARENTS"),
    ],
)
def test_a_new_child_stands_where_its_parent_lets_it(state: str, policy: str, expected: str):
    parent = add_job()
    parent.update_state(state)
    child = add_job(parent, on_parent_failure=policy)

    assert child.state == state_of(child) == expected


def test_a_new_child_that_does_not_wait_is_ready():
    assert add_job(add_job(), wait_for_parents=False).state == "PREPROCESSED"


def test_unknown_parents_are_refused_and_nothing_is_saved():
    job = BalsamJob(name="x")
    job.set_parents([uuid.uuid4()])
    with pytest.raises(InvalidParentsError):
        job.save()
    assert not BalsamJob.objects.exists()


def test_a_whole_graph_is_inserted_at_once():
    add_app()
    jobs = [BalsamJob(name=str(i), application="true") for i in range(4)]
    jobs[1].set_parents([jobs[0]])
    jobs[2].set_parents([jobs[0]])
    jobs[3].set_parents([jobs[1], jobs[2]])
    BalsamJob.objects.bulk_create(jobs)

    assert [job.state for job in jobs] == ["PREPROCESSED", *["AWAITING_PARENTS"] * 3]
    assert [stored(job).pending_parents for job in jobs] == [0, 1, 1, 2]
    run_all()
    assert BalsamJob.objects.filter(state="JOB_FINISHED").count() == 4


def test_new_jobs_that_wait_for_each_other_are_refused():
    one, other = BalsamJob(name="a"), BalsamJob(name="b")
    one.set_parents([other])
    other.set_parents([one])
    with pytest.raises(CycleError):
        BalsamJob.objects.bulk_create([one, other])
    assert not BalsamJob.objects.exists()


def test_a_new_graph_below_a_failed_parent_fails_as_a_whole():
    parent = add_job()
    parent.update_state("FAILED")
    one, other = BalsamJob(name="a", application="true"), BalsamJob(name="b", application="true")
    one.set_parents([parent])
    other.set_parents([one])
    BalsamJob.objects.bulk_create([one, other])

    assert [one.state, other.state] == [state_of(one), state_of(other)] == ["FAILED", "FAILED"]


def test_an_insert_writes_the_entry_of_the_first_state():
    add_jobs(3)

    events = JobEvent.objects.values_list("from_state", "to_state", "cause")
    assert list(events) == [("CREATED", "PREPROCESSED", "birth")] * 3

"""The scripting interface on a real database, inside and outside of a job."""

import importlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from balsam.core.models import ApplicationDefinition, BalsamJob, JobDependency, QueuedLaunch
from balsam.exceptions import (
    BalsamError,
    ConflictError,
    CycleError,
    DuplicateEdgeError,
    InvalidParentsError,
    JobGoneError,
    NotFoundError,
    NotInJobError,
    UnknownFieldError,
    UsageError,
)
from balsam.launcher import dag
from tests.jobs import add_app, add_job, history, messages, run_all, state_of

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[BalsamJob]:
    """Be inside a job."""
    job = add_job(name="outer", workflow="wf", args="--old", data={"x": [1]})
    monkeypatch.setenv("BALSAM_JOB_ID", str(job.pk))
    yield job


# -- the job one is in -------------------------------------------------------------------------------------


def test_outside_of_a_job_there_is_no_current_job():
    from balsam.launcher.dag import JOB_ID, LAUNCHER_NODES, children, current_job, parents

    assert current_job is parents is children is None
    assert JOB_ID == "" and LAUNCHER_NODES == 1
    assert dag.TIMEOUT is dag.ERROR is False


def test_inside_a_job_it_is_the_current_one(inside: BalsamJob):
    from balsam.launcher.dag import current_job

    assert current_job is not None and current_job.pk == inside.pk
    assert inside.pk == dag.JOB_ID


def test_the_current_job_is_one_object_so_that_its_changes_can_be_saved(inside: BalsamJob):
    dag.current_job.data["y"] = 2
    dag.current_job.save()

    assert BalsamJob.objects.get(pk=inside.pk).data == {"x": [1], "y": 2}


def test_parents_and_children_are_those_of_the_current_job(inside: BalsamJob):
    above, below = add_job(name="above"), add_job(inside, name="below")
    inside.set_parents([above])

    assert [job.name for job in dag.parents] == ["above"]
    assert [job.name for job in dag.children] == ["below"]
    assert dag.children.get(name="below").pk == below.pk


def test_handlers_are_told_what_they_handle(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BALSAM_JOB_TIMEOUT", "TRUE")
    assert dag.TIMEOUT is True and dag.ERROR is False
    monkeypatch.setenv("BALSAM_JOB_ERROR", "TRUE")
    assert dag.ERROR is True


def test_the_number_of_nodes_is_the_launchers(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BALSAM_LAUNCHER_NODES", "128")

    assert dag.LAUNCHER_NODES == "128"


@pytest.mark.parametrize("job_id", ["4b7c1f8e-1f9d-4f0f-9a53-f1a1b1d0c0de", "no-id"])
def test_a_job_id_without_job_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, job_id: str):
    monkeypatch.setenv("BALSAM_JOB_ID", job_id)

    with pytest.raises(JobGoneError, match="unset BALSAM_JOB_ID") as caught:
        _ = dag.current_job
    assert isinstance(caught.value, RuntimeError)
    assert job_id in str(caught.value)


def test_a_database_that_is_down_is_another_error(tmp_path: Path):
    script = "from balsam.launcher.dag import current_job"
    done = run_script(script, BALSAM_JOB_ID=str(uuid.uuid4()), BALSAM_DB_PATH=str(tmp_path))

    assert done.returncode != 0
    assert "server-info" in done.stderr
    assert "unset BALSAM_JOB_ID" not in done.stderr


def test_importing_dag_contacts_no_database(tmp_path: Path):
    done = run_script("import balsam.launcher.dag as dag; print(dag.JOB_ID)", BALSAM_DB_PATH=str(tmp_path))

    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'create_job'"):
        _ = dag.create_job
    assert set(dag.__all__) <= {*dir(dag), *dag.__annotations__}


def run_script(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_fresh_import_is_lazy():
    module = importlib.reload(dag)

    assert module.current_job is None


# -- jobs ----------------------------------------------------------------------------------------------------


def test_add_job_saves_a_job_with_its_fields():
    add_app("sim")
    job = dag.add_job(
        "a", "wf", "sim", args="-x", num_nodes=2, environ_vars="A=1:B=2", data={"x": 1}, wall_time_minutes=7
    )

    stored = BalsamJob.objects.get(pk=job.pk)
    assert (stored.name, stored.workflow, stored.application) == ("a", "wf", "sim")
    assert (stored.args, stored.num_nodes, stored.wall_time_minutes) == ("-x", 2, 7)
    assert stored.environ_vars == {"A": "1", "B": "2"}
    assert stored.data == {"x": 1}
    assert stored.cpu_affinity == "depth"


def test_defaults_of_add_job_are_fresh_for_every_job():
    add_app()
    first, second = dag.add_job("a", "wf", "true"), dag.add_job("b", "wf", "true")
    first.data["x"] = 1
    first.environ_vars["A"] = "1"

    assert second.data == {} and second.environ_vars == {}
    assert "{}" not in first.get_envs()


def test_add_job_without_saving_leaves_the_database_alone():
    add_app()
    job = dag.add_job("a", "wf", "true", save=False)

    assert not BalsamJob.objects.exists()
    job.save()
    assert state_of(job) == "PREPROCESSED"


def test_add_job_refuses_unknown_fields_with_a_suggestion():
    add_app()
    with pytest.raises(UnknownFieldError, match="Did you mean wall_time_minutes") as caught:
        dag.add_job("a", "wf", "true", walltime_minutes=5)
    assert isinstance(caught.value, ValueError)
    assert not BalsamJob.objects.exists()


def test_add_job_refuses_an_unknown_application_with_a_suggestion():
    add_app("simulate")
    with pytest.raises(ApplicationDefinition.DoesNotExist, match="Did you mean simulate") as caught:
        dag.add_job("a", "wf", "simulat")
    assert isinstance(caught.value, NotFoundError)


def test_add_job_takes_parents():
    parent = add_job(name="parent")
    for parents in ([parent], [str(parent.pk)], f'["{parent.pk}"]'):
        child = dag.add_job("child", "wf", "true", parents=parents)
        assert child.state == "AWAITING_PARENTS"
        assert child.get_parents_by_id() == [str(parent.pk)]


def test_a_job_added_inside_a_job_joins_its_batch_job(inside: BalsamJob):
    launch = QueuedLaunch.objects.create()
    BalsamJob.objects.filter(pk=inside.pk).update(queued_launch=launch)

    assert dag.add_job("b", "wf", "true").queued_launch_id == launch.pk


# -- edges ---------------------------------------------------------------------------------------------------


def test_add_dependency_makes_the_child_wait():
    parent, child = add_job(), add_job()

    dag.add_dependency(parent, child)

    assert child.state == state_of(child) == "AWAITING_PARENTS"
    run_all()
    assert state_of(child) == "JOB_FINISHED"
    assert history(child)[1:4] == ["PREPROCESSED", "AWAITING_PARENTS", "PREPROCESSED"]


def test_add_dependency_takes_jobs_ids_texts_and_queries():
    jobs = [add_job(name=str(i)) for i in range(5)]
    forms = [jobs[1], jobs[1].pk, str(jobs[1].pk), BalsamJob.objects.filter(pk=jobs[1].pk)]

    for form, child in zip(forms, [jobs[0], jobs[2], jobs[3], jobs[4]], strict=True):
        dag.add_dependency(form, child)

    assert jobs[1].get_children().count() == 4


def test_a_query_for_several_jobs_is_no_dependency():
    child = add_job()
    add_job()
    with pytest.raises(InvalidParentsError, match="matches 2 jobs"):
        dag.add_dependency(BalsamJob.objects.all(), child)


@pytest.mark.parametrize("nonsense", [uuid.UUID(int=7), "abc", 5, None])
def test_what_is_no_job_is_no_dependency(nonsense: object):
    with pytest.raises(InvalidParentsError):
        dag.add_dependency(nonsense, add_job())


def test_a_job_that_is_not_saved_is_no_dependency():
    with pytest.raises(InvalidParentsError, match="No such job"):
        dag.add_dependency(BalsamJob(name="x"), add_job())


def test_a_duplicate_is_refused():
    parent, child = add_job(), add_job()
    dag.add_dependency(parent, child)

    with pytest.raises(DuplicateEdgeError) as caught:
        dag.add_dependency(parent, child)
    assert isinstance(caught.value, RuntimeError)
    assert child.pending_parents == JobDependency.objects.count() == 1


def test_cycles_are_refused():
    a, b, c = add_job(), add_job(), add_job()
    dag.add_dependency(a, b)
    dag.add_dependency(b, c)

    for parent, child in ((b, a), (c, a), (a, a)):
        with pytest.raises(CycleError):
            dag.add_dependency(parent, child)
    assert JobDependency.objects.count() == 2
    assert state_of(a) == "PREPROCESSED"
    assert not dag.detect_circular(a)


def test_detect_circular_finds_a_cycle_that_came_from_elsewhere():
    a, b, other = add_job(), add_job(), add_job()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_jobdependency (parent_id, child_id) VALUES (%s, %s), (%s, %s), (%s, %s)",
            [a.pk, b.pk, b.pk, a.pk, b.pk, other.pk],
        )

    assert dag.detect_circular(a) and dag.detect_circular(b)
    assert not dag.detect_circular(other)


# -- children ------------------------------------------------------------------------------------------------


def test_a_spawned_child_is_a_clone_that_waits_for_the_current_job_and_its_parents(inside: BalsamJob):
    above = add_job()
    inside.set_parents([above])

    child = dag.spawn_child(name="inner", args="--new")

    assert (child.workflow, child.application, child.args) == ("wf", "true", "--new")
    assert set(child.get_parents_by_id()) == {str(above.pk), str(inside.pk)}
    assert child.state == state_of(child) == "AWAITING_PARENTS"
    assert f"Spawned by [outer | {str(inside.pk)[:8]}]" in messages(child)
    assert child.data == {"x": [1]} and child.data is not inside.data


@pytest.mark.parametrize("clone", [True, False])
def test_clone_may_be_said_when_spawning(inside: BalsamJob, clone: bool):
    child = dag.spawn_child(clone=clone, name="inner", application="true")

    assert child.workflow == "wf"
    assert child.args == ("--old" if clone else "")
    assert child.get_parents_by_id() == [str(inside.pk)]


def test_a_spawned_child_may_have_other_parents(inside: BalsamJob):
    child = dag.spawn_child(name="free", parents=[])

    assert child.state == "PREPROCESSED"


def test_spawning_outside_of_a_job_is_an_error():
    with pytest.raises(NotInJobError, match="BALSAM_JOB_ID is not set") as caught:
        dag.spawn_child(name="x")
    assert isinstance(caught.value, RuntimeError)


def test_spawning_with_an_unknown_field_is_an_error(inside: BalsamJob):
    with pytest.raises(ValueError, match="has no field 'colour'"):
        dag.spawn_child(colour="red")
    assert BalsamJob.objects.count() == 1


def test_a_clone_is_a_new_job_that_is_not_saved():
    above = add_job()
    job = add_job(above, name="a", args="-x", num_nodes=3, data={"x": [1]}, user_workdir="/tmp")
    job.update_state("FAILED")

    new = dag.clone(job, name="b")

    assert new._state.adding and new.job_id != job.job_id
    assert (new.name, new.args, new.num_nodes, new.user_workdir) == ("b", "-x", 3, "")
    assert (new.state, new.lock, new.attempt) == ("CREATED", "", 0)
    new.data["x"].append(2)
    assert job.data == {"x": [1]}
    new.save()
    assert new.get_parents_by_id() == [str(above.pk)]


# -- killing -------------------------------------------------------------------------------------------------


def test_kill_takes_what_is_below_and_nothing_else():
    top, other = add_job(name="top"), add_job(name="other")
    left, right = add_job(top), add_job(top)
    bottom = add_job(left, right)
    other_child = add_job(other)

    killed = dag.kill(top)

    assert set(killed) == {job.pk for job in (top, left, right, bottom)}
    assert {state_of(job) for job in (top, left, right, bottom)} == {"USER_KILLED"}
    assert (state_of(other), state_of(other_child)) == ("PREPROCESSED", "AWAITING_PARENTS")


def test_kill_without_recursion_leaves_children_to_their_policy():
    top = add_job()
    strict, lax = add_job(top), add_job(top, on_parent_failure="ignore")

    dag.kill(top, recursive=False)

    assert (state_of(strict), state_of(lax)) == ("FAILED", "PREPROCESSED")


def test_kill_leaves_ended_jobs_as_they_are():
    top = add_job()
    child = add_job(top)
    top.update_state("JOB_FINISHED")

    assert dag.kill(top) == [child.pk]
    assert state_of(top) == "JOB_FINISHED"


# -- workflows and applications ------------------------------------------------------------------------------


def test_a_workflow_is_copied_with_its_edges():
    a = add_job(name="a", workflow="old")
    b = add_job(a, name="b", workflow="old")
    add_job(a, b, name="c", workflow="old", args="-1")
    run_all()

    jobs = {job.name: job for job in dag.wf_from_template("old", "new", c={"args": "-2"}, a={"num_nodes": 2})}

    assert sorted(jobs) == ["a", "b", "c"]
    assert {job.workflow for job in jobs.values()} == {"new"}
    assert (jobs["c"].args, jobs["a"].num_nodes) == ("-2", 2)
    assert set(jobs["c"].get_parents_by_id()) == {str(jobs["a"].pk), str(jobs["b"].pk)}
    assert [jobs[name].state for name in "abc"] == ["PREPROCESSED", "AWAITING_PARENTS", "AWAITING_PARENTS"]
    run_all()
    assert {state_of(job) for job in jobs.values()} == {"JOB_FINISHED"}


@pytest.mark.parametrize(
    ("source", "target", "overrides", "error"),
    [
        ("none", "new", {}, NotFoundError),
        ("old", "taken", {}, ConflictError),
        ("twins", "new", {}, UsageError),
        ("old", "new", {"aa": {}}, UsageError),
        ("old", "new", {"a": {"colour": 1}}, UnknownFieldError),
    ],
)
def test_a_workflow_that_cannot_be_copied_is_refused(
    source: str, target: str, overrides: dict[str, dict[str, int]], error: type[BalsamError]
):
    add_job(name="a", workflow="old")
    add_job(workflow="taken")
    add_job(name="twin", workflow="twins"), add_job(name="twin", workflow="twins")

    with pytest.raises(error):
        dag.wf_from_template(source, target, **overrides)
    assert not BalsamJob.objects.filter(workflow="new").exists()


def test_add_app_defines_and_redefines(capsys: pytest.CaptureFixture[str]):
    dag.add_app("sim", "/bin/true", preprocess="/bin/pre")
    dag.add_app("sim", "/bin/false", description="second")

    (app,) = dag.get_apps()
    assert (app.executable, app.preprocess, app.description) == ("/bin/false", "", "second")
    assert (
        capsys.readouterr().out == f"Created application {app.cute_id}\nUpdated application {app.cute_id}\n"
    )


def test_add_app_checks_the_executable_on_request():
    dag.add_app("sim", "/bin/true --fast", checkexe=True)
    with pytest.raises(UsageError, match="chmod"):
        dag.add_app("sim2", "/bin/missing --fast", checkexe=True)
    with pytest.raises(UsageError, match="needs a name"):
        dag.add_app(" ", "/bin/true")


def test_databases_are_named(db: Path, capsys: pytest.CaptureFixture[str]):
    assert dag.get_active_database() == str(db.resolve())
    assert str(db.resolve()) in dag.get_database_paths(verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BALSAM_DB_PATH")
        assert dag.get_active_database() == ""
    assert capsys.readouterr().out == f"{db.resolve()}\nNo database is active.\n"

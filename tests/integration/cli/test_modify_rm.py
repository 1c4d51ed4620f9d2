"""Changing and deleting."""

from collections.abc import Callable

import pytest

from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.states import JobState
from tests.commands import Finished

Cli = Callable[..., Finished]


def add_job(name: str = "a", workflow: str = "wf", **fields: object) -> BalsamJob:
    ApplicationDefinition.objects.get_or_create(name="echo", defaults={"executable": "/bin/echo"})
    job = BalsamJob(name=name, workflow=workflow, application="echo", **fields)
    job.save()
    return job


def names() -> list[str]:
    return list(BalsamJob.objects.order_by("number").values_list("name", flat=True))


@pytest.mark.parametrize(
    ("attribute", "text", "value"),
    [
        ("num_nodes", "3", 3),
        ("gpus_per_rank", "0.5", 0.5),
        ("auto_timeout_retry", "False", False),
        ("post_error_handler", "yes", True),
        ("data", '{"x": [1, null]}', {"x": [1, None]}),
        ("environ_vars", "A=1:B=2", {"A": "1", "B": "2"}),
        ("environ_vars", '{"PATH": "/a:/b"}', {"PATH": "/a:/b"}),
        ("queued_launch_id", "null", None),
        ("args", "-x 1", "-x 1"),
        ("args", "", ""),
    ],
)
def test_value_is_read_by_the_type_of_the_attribute(balsam: Cli, attribute: str, text: str, value: object):
    job = add_job()
    done = balsam("modify", str(job.pk)[:13], attribute.removesuffix("_id"), text).check()
    job.refresh_from_db()
    assert getattr(job, attribute) == value
    assert done.stdout == f"Job {attribute.removesuffix('_id')} changed to:  {value}\n"


@pytest.mark.parametrize(
    ("attribute", "text", "reason"),
    [
        ("num_nodes", "two", "num_nodes is a whole number, not 'two'"),
        ("num_nodes", "-1", "must be 1 or more"),
        ("auto_timeout_retry", "maybe", "true or false"),
        ("data", "{x: 1}", "data is JSON"),
        ("data", "[1]", "data is a JSON object"),
        ("data", '{"x": NaN}', "data is JSON"),
        ("data", '{"x": "\\u0000"}', "cannot be"),
        ("gpus_per_rank", "nan", "is a number"),
        ("num_nodes", "99999999999", "cannot be"),
        ("queued_launch", "7", "There is no queued_launch 7"),
        ("num_nods", "2", "Did you mean num_nodes"),
        ("job_id", "2", "kept by Balsam itself"),
        ("attempt", "2", "kept by Balsam itself"),
        ("state", "GONE", "'GONE' is no job state"),
        ("state", "RUNNING", "Only a launcher"),
        ("parents", '["x"]', "neither a job nor the id"),
    ],
)
def test_bad_attribute_or_value_is_a_usage_error(balsam: Cli, attribute: str, text: str, reason: str):
    job = add_job()
    done = balsam("modify", job.pk, attribute, text)
    assert done.returncode == 2, done.output
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_state_goes_through_the_core_and_into_the_history(balsam: Cli):
    job = add_job()
    balsam("modify", job.pk, "state", "job_finished").check()
    job.refresh_from_db()
    assert job.state == JobState.JOB_FINISHED
    assert "from the command line" in job.state_history


def test_killed_job_stays_killed(balsam: Cli):
    job = add_job()
    job.update_state("USER_KILLED")
    done = balsam("modify", job.pk, "state", "RESTART_READY")
    assert done.returncode != 0
    job.refresh_from_db()
    assert job.state == "USER_KILLED"


def test_parents_are_set_from_a_list_of_ids(balsam: Cli):
    parent, child = add_job("a"), add_job("b")
    balsam("modify", child.pk, "parents", f'["{parent.pk}"]').check()
    child.refresh_from_db()
    assert child.state == "AWAITING_PARENTS"
    balsam("modify", child.pk, "parents", "[]").check()
    child.refresh_from_db()
    assert child.state == "PREPROCESSED"


def test_renamed_application_keeps_its_jobs(balsam: Cli):
    job = add_job()
    balsam("modify", "echo", "name", "say", "--type", "apps").check()
    job.refresh_from_db()
    assert job.get_application().name == "say"


def test_application_is_found_by_number_too(balsam: Cli):
    add_job()
    app = ApplicationDefinition.objects.get()
    balsam("modify", app.pk, "executable", "/bin/true", "--type", "apps").check()
    app.refresh_from_db()
    assert app.executable == "/bin/true"
    for name in ("nix", ""):
        assert balsam("modify", name, "executable", "x", "--type", "apps").returncode == 3


def test_rm_wants_exactly_one_selector(balsam: Cli):
    add_job()
    assert balsam("rm", "jobs", "--yes").returncode == 2
    assert balsam("rm", "jobs", "--all", "--name", "a", "--yes").returncode == 2
    assert names() == ["a"]


def test_workflow_narrows_all_and_id(balsam: Cli):
    add_job("a", "one")
    other = add_job("b", "two")
    add_job("c", "one/more")
    balsam("rm", "jobs", "--all", "--wf-filter", "one", "--force").check()
    assert names() == ["b", "c"]
    done = balsam("rm", "jobs", "--id", other.pk, "--wf-filter", "one", "--force").check()
    assert "No jobs found" in done.stdout
    assert names() == ["b", "c"]
    assert balsam("rm", "apps", "--all", "--wf-filter", "one", "--force").returncode == 2
    assert ApplicationDefinition.objects.exists()


def test_rm_shows_what_would_go_and_asks(balsam: Cli):
    jobs = [add_job(f"j{i}") for i in range(7)]
    done = balsam("rm", "jobs", "--name", "J", input="n\n").check()
    assert f"PERMANENTLY remove 7 jobs: {jobs[0].cute_id}, " in done.stdout
    assert "..." in done.stdout
    assert len(names()) == 7
    assert "Deleted." in balsam("rm", "job", "--name", "j", input="y\n").check().stdout
    assert names() == []


def test_end_of_input_deletes_nothing(balsam: Cli):
    add_job()
    assert balsam("rm", "jobs", "--all", input="").returncode == 2
    assert names() == ["a"]


def test_id_that_matches_none_or_several_deletes_nothing(balsam: Cli):
    BalsamJob.objects.bulk_create(
        BalsamJob(job_id=f"aaaa000{i}-0000-4000-8000-000000000000", name=f"j{i}") for i in range(2)
    )
    assert balsam("rm", "jobs", "--id", "aaaa", "--yes").returncode == 3
    for fragment in ("bbbb", "%", "_", "", "-"):
        assert balsam("rm", "jobs", "--id", fragment, "--yes").returncode != 0
    assert len(names()) == 2


def test_running_job_is_deleted_only_by_force(balsam: Cli, running_job: BalsamJob):
    add_job("b")
    done = balsam("rm", "jobs", "--all", "--yes")
    assert done.returncode == 4
    assert "--force" in done.stderr
    assert len(names()) == 2
    balsam("rm", "jobs", "--all", "--force").check()
    assert names() == []


def test_children_of_a_deleted_job_fail_with_the_reason(balsam: Cli):
    parent, child = add_job("a"), add_job("b")
    child.set_parents([parent])
    balsam("rm", "jobs", "--id", parent.pk, "--yes").check()
    child.refresh_from_db()
    assert child.state == "FAILED"
    assert "deleted" in child.state_history


def test_apps_are_deleted_by_name_id_and_all(balsam: Cli):
    for name in ("one", "two", "three"):
        ApplicationDefinition(name=name, executable="x").save()
    BalsamJob(name="a", application="one").save()
    done = balsam("rm", "apps", "--name", "one", input="y\n").check()
    assert "used by 1 unfinished jobs" in done.stdout
    balsam("rm", "apps", "--id", ApplicationDefinition.objects.get(name="two").pk, "--force").check()
    balsam("rm", "app", "--all", "--force").check()
    assert not ApplicationDefinition.objects.exists()

"""``balsam job|app|queue VERB`` as users type them, on one's own database."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from balsam.api import App, BatchJob, Job, Site
from balsam.config.site_dir import SiteDir, write_site_file
from balsam.core import batch_jobs
from balsam.states import JobState as S
from tests.commands import Finished, run_balsam
from tests.jobs import claim, open_session, report

Balsam = Callable[..., Finished]


@pytest.fixture
def balsam(db: Path, tmp_path: Path) -> Balsam:
    def run(*args: object, input: str = "", cwd: Path = tmp_path) -> Finished:
        return run_balsam(*args, input=input, cwd=cwd, env={"BALSAM_DB_PATH": str(db)})

    return run


@pytest.fixture
def tutorial(db: Path, tmp_path: Path) -> Site:
    """A site of its own directory, with the application Hello."""
    path = tmp_path / "thetagpu_tutorial"
    path.mkdir()
    site = Site.objects.create("thetagpu_tutorial", path)
    App.objects.create(
        site_id=site.id,
        name="Hello",
        command_template="echo Hello, {{ say_hello_to }}!",
        parameters={"say_hello_to": {"required": True}},
    )
    write_site_file(SiteDir(path=path, site_id=site.id, database=str(db)))
    return site


def test_job_of_the_document_is_made_and_listed(balsam: Balsam, tutorial: Site):
    done = balsam(
        *("job", "create", "--site", "thetagpu_tutorial", "--app", "Hello", "--workdir=demo/hello"),
        *("--param", "say_hello_to=world", "--tag", "workflow=hello", "--yes"),
    ).check()
    (job,) = Job.objects.all()
    assert f"Added Job id={job.id}" in done.stdout and "workdir: demo/hello" in done.stdout
    assert job.site_id == tutorial.id and job.wall_time_min == 1
    lines = balsam("job", "ls", "--tag", "workflow=hello").check().stdout.splitlines()
    assert [cell.strip() for cell in lines[0].split("|")] == ["ID", "Site", "App", "Workdir", "State", "Tags"]
    assert [cell.strip() for cell in lines[2].split("|")] == [
        str(job.id), "thetagpu_tutorial", "Hello", "demo/hello", "PREPROCESSED", "{'workflow': 'hello'}",
    ]  # fmt: skip
    assert len(balsam("job", "ls", "--tag", "workflow=other").check().stdout.splitlines()) == 2


def test_questions_are_asked_and_no_is_no(balsam: Balsam, tutorial: Site):
    create = ("job", "create", "--app", "Hello", "-w", "x", "-p", "say_hello_to=a")
    assert "Nothing was added" in balsam(*create, input="n\n").check().stdout
    assert "nothing was done" in balsam(*create, input="").output
    assert Job.objects.count() == 0
    balsam(*create, input="y\n").check()
    assert "Nothing was deleted" in balsam("job", "rm", "--all", input="n\n").check().stdout
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    ("args", "code", "told"),
    [
        (("--app", "Hallo", "-w", "x"), 3, "'Hallo'"),
        (("--app", "Hello", "-w", "/abs", "-p", "say_hello_to=a"), 2, "relative path"),
        (("--app", "Hello", "-w", "../up", "-p", "say_hello_to=a"), 2, "relative path"),
        (("--app", "Hello", "-w", "x"), 2, "needs the parameter say_hello_to"),
        (("--app", "Hello", "-w", "x", "-p", "say_hello_to=a", "-p", "b=c"), 2, "takes no parameter b"),
        (("--app", "Hello", "-w", "x", "-p", "say_hello_to"), 2, "KEY=VALUE"),
        (("--app", "Hello", "-w", "x", "-p", "say_hello_to=a", "-n", "0"), 2, "num_nodes"),
        (("--app", "Hello", "-w", "x", "-p", "say_hello_to=a", "-pid", "99"), 2, "no job 99"),
        (("--app", "Hello", "-w", "x", "--site", "nowhere"), 3, "'nowhere'"),
    ],
)
def test_bad_job_is_told_and_not_made(
    balsam: Balsam, tutorial: Site, args: tuple[str, ...], code: int, told: str
):
    done = balsam("job", "create", *args, "--yes")
    assert (done.returncode, told in done.stderr) == (code, True), done.output
    assert Job.objects.count() == 0


def test_jobs_are_selected_counted_changed_and_deleted(balsam: Balsam, tutorial: Site):
    app = App.objects.get(site_id=tutorial.id)
    Job.objects.bulk_create(
        [Job(f"w/{n}", app.id, parameters={"say_hello_to": "x"}, tags={"n": str(n % 2)}) for n in range(6)]
    )
    rows = json.loads(balsam("job", "ls", "--by-state", "-o", "json").check().stdout)["rows"]
    assert rows == [{"state": "PREPROCESSED", "count": 6}]
    balsam("job", "modify", "--tag", "n=1", "--set-state", "FAILED", "--set", "num_nodes=2", "--yes").check()
    ids = balsam("job", "ls", "--state", "FAILED", "-o", "ids").check().stdout.split()
    assert len(ids) == 3 and {job.num_nodes for job in Job.objects.filter(state="FAILED")} == {2}
    assert balsam("job", "ls", "-ns", "FAILED", "-o", "ids").check().stdout.split() != ids
    assert balsam("job", "modify", "--id", ids[0], "--set-state", "FINISHED", "--yes").returncode == 2
    balsam("job", "rm", "--state", "FAILED", "--yes").check()
    assert Job.objects.count() == 3
    assert balsam("job", "rm").returncode == 2
    assert "No jobs match" in balsam("job", "rm", "--id", "99", "--yes").check().stdout
    assert balsam("job", "ls", "-v", "-n", "1").check().stdout.startswith("workdir: w/4\n")


def test_site_is_named_by_where_one_stands_by_name_id_or_path(balsam: Balsam, tutorial: Site):
    app = App.objects.get(site_id=tutorial.id)
    Job(app_id=app.id, workdir="w", parameters={"say_hello_to": "x"}).save()
    inside = Path(str(tutorial.path)) / "data"
    inside.mkdir()
    for args, cwd in (
        ((), inside),
        (("--site", "this"), inside),
        (("--site", "thetagpu_tutorial"), inside.parent.parent),
        (("--site", str(tutorial.id)), inside.parent.parent),
        (("--site", "gpu_tut"), inside.parent.parent),
        (("--site", "all"), inside.parent.parent),
        ((), inside.parent.parent),
    ):
        assert len(balsam("job", "ls", "-o", "ids", *args, cwd=cwd).check().stdout.split()) == 1, args
    first = Site.objects.get(id=1).name
    assert balsam("job", "ls", "-o", "ids", "--site", first, cwd=inside).check().stdout == ""
    assert balsam("job", "ls", "--site", "this").returncode == 2


def test_database_of_the_site_one_stands_in_is_used(tutorial: Site, tmp_path: Path):
    done = run_balsam("app", "ls", cwd=Path(str(tutorial.path)), env={"BALSAM_DB_PATH": str(tmp_path)})
    assert "Hello" in done.check().stdout


def test_applications_are_listed_and_removed_with_their_jobs(balsam: Balsam, tutorial: Site):
    lines = balsam("app", "ls").check().stdout.splitlines()
    assert [cell.strip() for cell in lines[2].split("|")][1:] == ["Hello", "thetagpu_tutorial"]
    app = App.objects.get(site_id=tutorial.id)
    Job("w", app.id, parameters={"say_hello_to": "x"}).save()
    assert "the 1 jobs" in balsam("app", "rm", "--name", "Hello", input="n\n").check().output
    assert balsam("app", "rm").returncode == 2
    assert balsam("app", "rm", "--all").returncode == 2
    balsam("app", "rm", "--name", "Hello", "--yes").check()
    assert App.objects.count() == 0 and Job.objects.count() == 0


def test_batch_job_is_asked_for_listed_and_ended(balsam: Balsam, tutorial: Site):
    submit = (
        *("queue", "submit", "-n", "1", "-t", "10", "-q", "training-gpu", "-A", "training-gpu"),
        *("--site", "thetagpu_tutorial", "--tag", "workflow=hello", "--job-mode", "mpi"),
    )
    shown = balsam(*submit).check().stdout
    assert "state: pending_submission\n" in shown and "scheduler_id: null\n" in shown
    (batch_job,) = BatchJob.objects.all()
    assert batch_job.filter_tags == {"workflow": "hello"} and batch_job.site_id == tutorial.id
    row = json.loads(balsam("queue", "ls", "-o", "json").check().stdout)["rows"][0]
    assert (row["id"], row["site"], row["state"]) == (batch_job.id, "thetagpu_tutorial", "pending_submission")
    assert "Marked BatchJob" in balsam("queue", "term", batch_job.id).check().stdout
    assert balsam("queue", "term", "4711").returncode == 3
    assert BatchJob.objects.get(id=batch_job.id).state != "pending_submission"


def test_listing_says_why_a_batch_job_came_to_nothing(balsam: Balsam, tutorial: Site):
    ask = ("queue", "submit", "--site", tutorial.id, "-n", "1", "-t", "5", "-j", "mpi")
    balsam(*ask, "-q", "debug", "-A", "p").check()
    (batch_job,) = BatchJob.objects.all()
    assert balsam("queue", "ls").check().stderr == ""
    batch_jobs.refuse_submission(batch_job.id, "Invalid account")
    told = balsam("queue", "ls", "--history").check().stderr
    assert told == f"Batch job {batch_job.id}: failed: Invalid account\n"
    assert balsam("queue", "ls", "--history", "-o", "json").check().stderr == ""


def test_limits_of_the_site_are_kept_when_a_batch_job_is_asked_for(balsam: Balsam, tutorial: Site):
    tutorial.allowed_queues = {"debug": {"max_nodes": 2, "max_walltime": 60, "max_queued_jobs": 1}}
    tutorial.allowed_projects = ["mine"]
    tutorial.save()

    def submit(nodes: int, minutes: int, queue: str, project: str, *more: str) -> Finished:
        return balsam(
            *("queue", "submit", "-n", nodes, "-t", minutes, "-q", queue, "-A", project, "-j", "mpi"),
            *("--site", "thetagpu_tutorial", *more),
        )

    for args, told in (
        ((3, 10, "debug", "mine"), "3 nodes are more than the 2"),
        ((1, 61, "debug", "mine"), "61 minutes are more than the 60"),
        ((1, 10, "prod", "mine"), "'prod'"),
        ((1, 10, "debug", "yours"), "'yours'"),
        ((2, 10, "debug", "mine", "-p", "mpi:1"), "add up to 2"),
        ((2, 10, "debug", "mine", "-p", "mpi"), "MODE:NODES"),
    ):
        done = submit(*args)
        assert (done.returncode, told in done.stderr) == (2, True), done.output
    assert BatchJob.objects.count() == 0
    submit(2, 60, "debug", "mine", "-p", "mpi:1:role=leader", "-p", "serial:1").check()
    assert BatchJob.objects.first().partitions[0].filter_tags == {"role": "leader"}


def test_older_forms_of_job_and_app_are_still_there(balsam: Balsam, db: Path):
    balsam("app", "--name", "echo", "--executable", "/bin/echo").check()
    balsam("job", "--name", "x", "--workflow", "w", "--application", "echo", "--yes").check()
    assert "echo" in balsam("app", "ls").check().stdout
    row = json.loads(balsam("job", "ls", "-o", "json").check().stdout)["rows"][0]
    assert row["app"] == "echo" and row["state"] == "PREPROCESSED"
    done = balsam("job", "creat")
    assert done.returncode == 2 and "Did you mean create" in done.stderr
    assert "create" in balsam("job", "--help").check().stdout


def test_job_of_either_face_runs_and_is_seen_from_the_other(balsam: Balsam, db: Path):
    App.objects.create(site_id=1, name="Hi", command_template="echo hi")
    balsam("job", "create", "--app", "Hi", "--workdir", "demo/hi", "--yes").check()
    balsam("launcher", "--consume-all", "--job-mode", "serial").check()
    assert (db / "data" / "demo" / "hi" / "job.out").read_text() == "hi\n"
    assert "JOB_FINISHED" in balsam("ls").check().stdout
    assert Job.objects.first().state == "JOB_FINISHED"


def test_states_in_the_listing_follow_the_jobs(balsam: Balsam, tutorial: Site):
    app = App.objects.get(site_id=tutorial.id)
    Job("w", app.id, parameters={"say_hello_to": "x"}).save()
    session = open_session()
    report(session, claim(session, site_id=tutorial.id), S.RUNNING, S.RUN_ERROR, code=3)
    row = json.loads(balsam("job", "ls", "-o", "json").check().stdout)["rows"][0]
    assert row["state"] == "FAILED"
    assert os.path.isdir(str(tutorial.path))

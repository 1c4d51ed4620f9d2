"""Both faces, one core: a job made on either side is seen, run, changed and removed from the other."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from balsam.api import App, EventLog, Job
from balsam.core.models import BalsamJob
from balsam.launcher import dag
from tests.commands import Finished, run_balsam
from tests.jobs import add_app, history, run_all

Balsam = Callable[..., Finished]
Maker = Callable[[Balsam], BalsamJob]


def by_command_of_the_database(balsam: Balsam) -> BalsamJob:
    balsam(
        "job", "--name", "made", "--workflow", "w", "--application", "echo", "--args", "hi", "--yes"
    ).check()
    return BalsamJob.objects.get()


def by_script_of_the_database(balsam: Balsam) -> BalsamJob:
    return dag.add_job(name="made", workflow="w", application="echo", args="hi")


def by_command_of_sites(balsam: Balsam) -> BalsamJob:
    balsam("job", "create", "--app", "Hi", "--workdir", "w/made", "--yes").check()
    return BalsamJob.objects.get()


def by_script_of_sites(balsam: Balsam) -> BalsamJob:
    Job("w/made", "Hi").save()
    return BalsamJob.objects.get()


MAKERS = [
    by_command_of_the_database,
    by_script_of_the_database,
    by_command_of_sites,
    by_script_of_sites,
]


@pytest.fixture
def balsam(db: Path, tmp_path: Path) -> Balsam:
    add_app("echo", "/bin/echo")
    App.objects.create(site_id=1, name="Hi", command_template="echo hi")

    def run(*args: object) -> Finished:
        return run_balsam(*args, cwd=tmp_path, env={"BALSAM_DB_PATH": str(db)})

    return run


@pytest.mark.parametrize("make", MAKERS)
def test_job_is_seen_changed_and_removed_by_commands_of_both(
    balsam: Balsam, make: Callable[[Balsam], BalsamJob]
):
    job = make(balsam)
    number, short = job.number, str(job.pk)[:8]
    assert short in balsam("ls").check().stdout
    assert balsam("job", "ls", "-o", "ids").check().stdout.split() == [str(number)]
    assert f"Job {number} " in balsam("job", "explain", short).check().stdout
    balsam("job", "modify", number, "--num-nodes", 2, "--set-tag", "a=b").check()
    balsam("modify", short, "ranks_per_node", 4).check()
    seen = Job.objects.get(id=number)
    assert (seen.num_nodes, seen.ranks_per_node, seen.tags) == (2, 4, {"a": "b"})
    balsam("kill", short, "--yes").check()
    row = json.loads(balsam("job", "explain", number, "-o", "jsonl").check().stdout)
    assert row["reason"] == "killed"
    assert "USER_KILLED" in balsam("ls", "--history").check().stdout
    assert "USER_KILLED" in balsam("job", "history", number).check().stdout
    balsam("job", "rm", number, "--yes").check()
    assert not BalsamJob.objects.exists()


@pytest.mark.parametrize("make", MAKERS)
def test_job_is_seen_changed_and_removed_by_scripts_of_both(
    balsam: Balsam, make: Callable[[Balsam], BalsamJob]
):
    job = make(balsam)
    seen = Job.objects.get(id=job.number)
    seen.tags["round"] = "1"
    seen.state = "FAILED"
    seen.save()
    again = dag.BalsamJob.objects.get(pk=job.pk)
    assert (again.state, again.tags) == ("FAILED", {"round": "1"})
    again.update_state("RESTART_READY", "once more")
    again.num_nodes = 3
    again.save()
    seen.refresh_from_db()
    assert (seen.state, seen.num_nodes) == ("RESTART_READY", 3)
    messages = [event.data.get("message") for event in EventLog.objects.filter(job_id=seen.id)]
    assert "once more" in messages
    dag.kill(again)
    assert Job.objects.get(id=seen.id).state == "USER_KILLED"
    seen.delete()
    assert not dag.BalsamJob.objects.exists()


def test_jobs_of_both_wait_for_each_other(balsam: Balsam):
    old = by_script_of_the_database(balsam)
    new = Job("w/new", "Hi", parent_ids=[old.number])
    new.save()
    last = dag.add_job(name="last", workflow="w", application="echo")
    dag.add_dependency(BalsamJob.objects.get(number=new.id), last)
    assert Job.objects.get(id=new.id).parent_ids == {old.number}
    assert [job.id for job in Job.objects.get(id=new.id).children_query()] == [last.number]
    run_all()
    assert {job.state for job in Job.objects.all()} == {"JOB_FINISHED"}
    assert "AWAITING_PARENTS" in history(last)


def test_one_launcher_runs_the_jobs_of_both_and_their_output_is_shown(balsam: Balsam, db: Path):
    old = by_command_of_the_database(balsam)
    new = Job("w/new", "Hi")
    new.save()
    balsam("launcher", "--consume-all", "--job-mode", "serial").check()
    balsam("job", "wait", old.number, new.id, "--timeout", 60).check()
    assert balsam("job", "logs", old.number).check().stdout == "hi\n"
    assert balsam("job", "logs", new.id).check().stdout == "hi\n"
    assert os.path.exists(db / "data" / "w" / f"made_{str(old.pk)[:8]}" / "made.out")
    assert balsam("ls", "--state", "JOB_FINISHED").check().stdout.count("JOB_FINISHED") == 2

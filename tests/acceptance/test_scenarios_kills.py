"""Jobs that users kill: in a hook, while they run, alone and with what is below them."""

from pathlib import Path

import psutil
import pytest

from balsam.core.models import BalsamJob
from tests.commands import run_balsam
from tests.jobs import add_app, add_job, history
from tests.launching import dag_script, finish, launcher, lines, run_launcher, script
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")


def test_job_killed_during_its_preprocess_never_runs(tmp_path: Path) -> None:
    """T14: USER_KILLED stays, the app is not started, the hook is ended, and the launcher goes on."""
    pids, ran = tmp_path / "pids", tmp_path / "ran"
    hook = script(tmp_path, "pre", f"#!/bin/sh\necho $$ >> {pids}\nexec sleep 600\n")
    add_app("app", str(script(tmp_path, "app", f"#!/bin/sh\necho x >> {ran}\n")), preprocess=str(hook))
    job = add_job(application="app", name="app")
    with launcher() as running:
        [pid] = wait_until(lambda: lines(pids))
        run_balsam("kill", "--yes", job.job_id).check()
        assert finish(running).returncode == 0
    assert history(job) == ["CREATED", "STAGED_IN", "USER_KILLED"]
    assert not ran.exists()
    assert not psutil.pid_exists(int(pid))


def test_killed_serial_job_gives_its_place_to_the_next(tmp_path: Path) -> None:
    """T15: the running process is ended, with what it has started, and another job runs in its place."""
    pids = tmp_path / "pids"
    text = f"#!/bin/sh\nsleep 600 & echo $! >> {pids}\nsleep 600 & echo $! >> {pids}\nwait\n"
    add_app("family", str(script(tmp_path, "family", text)))
    job = add_job(application="family", name="family", priority=1)
    other = add_job(name="other")
    with launcher() as running:
        wait_until(lambda: len(lines(pids)) == 2)
        run_balsam("killjob", "--id", job.job_id, "--yes").check()
        done = finish(running)
    assert done.returncode == 0, done.stdout
    job.refresh_from_db()
    other.refresh_from_db()
    assert (job.state, other.state) == ("USER_KILLED", "JOB_FINISHED")
    assert (job.lock, job.session_id) == ("", None)
    assert not any(psutil.pid_exists(int(pid)) for pid in lines(pids))


def test_kill_wins_over_the_end_that_it_brings_about(tmp_path: Path) -> None:
    """T15: an app that ends with 0 when it is told to end is killed all the same."""
    started = tmp_path / "started"
    text = f"#!/bin/sh\ntrap 'exit 0' TERM\ntouch {started}\nwhile :; do sleep 0.02; done\n"
    add_app("polite", str(script(tmp_path, "polite", text)))
    job = add_job(application="polite", name="polite")
    with launcher() as running:
        wait_until(started.exists)
        run_balsam("kill", "--yes", job.job_id).check()
        finish(running)
    assert history(job)[-2:] == ["RUNNING", "USER_KILLED"]


def test_script_kills_a_tree_of_jobs_and_leaves_the_others_alone(tmp_path: Path) -> None:
    """T17: a postprocess spawns a clone, adds a small tree beside another one, and kills it."""
    ran = tmp_path / "ran"
    text = """
from django.db import transaction
with transaction.atomic():  # no launcher starts one before it has its parents
    clone = dag.spawn_child(clone=True, name='clone', application='note', args='clone')
    held, top, below = (dag.add_job(name, 'w', 'note', args=name) for name in ('held', 'top', 'below'))
    for parent, child in ((job, held), (held, top), (top, below)):
        dag.add_dependency(parent, child)
dag.add_job('left', 'w', 'note', args='left')
assert len(dag.kill(top, recursive=True)) == 2
"""
    add_app("note", str(script(tmp_path, "note", f'#!/bin/sh\necho "$1" >> {ran}\n')))
    first = str(script(tmp_path, "first", f"#!/bin/sh\necho first >> {ran}\n"))
    add_app("first", first, postprocess=str(dag_script(tmp_path, "post.py", text)))
    job = add_job(application="first", name="first", workflow="w", data={"key": 1})
    run_launcher().check()
    states = dict(BalsamJob.objects.values_list("name", "state"))
    killed = {"top": "USER_KILLED", "below": "USER_KILLED"}
    assert states == {**dict.fromkeys(("first", "clone", "held", "left"), "JOB_FINISHED"), **killed}
    assert set(lines(ran)) >= {"first", "clone", "held", "left"} and "top" not in lines(ran)
    clone = BalsamJob.objects.get(name="clone")
    assert clone.get_parents_by_id() == [str(job.job_id)]
    assert (clone.data, clone.workflow) == ({"key": 1}, "w")

"""Graphs of jobs, made beforehand or by their own hooks while a launcher runs."""

import signal
from pathlib import Path

import pytest

from balsam.core.models import BalsamJob
from balsam.launcher import dag
from tests.jobs import add_app, add_job, history
from tests.launching import dag_script, finish, launcher, lines, run_launcher, script
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")

SQUARE = "#!/bin/sh\nfor f in side*.dat; do n=$(cat $f); echo $((n * n)) > square.dat; done\n"
SUM = "#!/bin/sh\ns=0; for f in square*.dat*; do s=$((s + $(cat $f))); done; echo $s > sum.dat\n"


def named(name: str) -> BalsamJob:
    return BalsamJob.objects.get(name=name)


def states() -> dict[str, str]:
    return dict(BalsamJob.objects.values_list("name", "state"))


def test_map_and_reduce_gathers_the_files_of_all_parents(tmp_path: Path) -> None:
    """T8: a file for each child, results of the same name gathered with suffixes, the sum staged out."""
    results = tmp_path / "results"
    results.mkdir()
    text = "#!/bin/sh\nfor i in 0 1 2 3; do echo $((i + 2)) > side$i.dat; done\n"
    add_app("make", str(script(tmp_path, "make", text)))
    add_app("square", str(script(tmp_path, "square", SQUARE)))
    add_app("sum", str(script(tmp_path, "sum", SUM)))
    make = add_job(application="make", name="make", workflow="map")
    squares = [
        add_job(make, application="square", name=f"square{i}", workflow="map", input_files=f"side{i}.dat")
        for i in range(4)
    ]
    total = add_job(
        *squares,
        application="sum",
        name="sum",
        workflow="map",
        input_files="square*.dat*",
        stage_out_url=str(results),
        stage_out_files="sum.dat sum.out",
    )
    run_launcher().check()
    assert (results / "sum.dat").read_text() == f"{4 + 9 + 16 + 25}\n"
    gathered = sorted(path.name for path in Path(total.working_directory).glob("square.dat*"))
    assert gathered == sorted(["square.dat", *(f"square.dat_{str(job.job_id)[:8]}" for job in squares[1:])])
    assert all(Path(job.working_directory, f"side{i}.dat").is_symlink() for i, job in enumerate(squares))


def test_errors_and_timeouts_inside_a_graph_are_handled(tmp_path: Path) -> None:
    """T9: a parent's error, a child's error and a child's timeout, each handled; one error that is not."""
    started = tmp_path / "started"
    handler = str(
        dag_script(tmp_path, "post.py", "job.update_state('JOB_FINISHED', f'handled {job.name}')\n")
    )
    add_app("bad", "/bin/false", postprocess=handler)
    text = f"#!/bin/sh\ntouch {started}\nexec sleep 600\n"
    add_app("slow", str(script(tmp_path, "slow", text)), postprocess=handler)
    parent = add_job(application="bad", name="parent error", post_error_handler=True)
    add_job(parent, application="true", name="its child")
    add_job(add_job(name="parent"), application="bad", name="child error", post_error_handler=True)
    add_job(parent, application="slow", name="child timeout", post_timeout_handler=True)
    add_job(add_job(application="bad", name="unhandled"), name="orphan")
    with launcher() as running:
        wait_until(started.exists)
        running.send_signal(signal.SIGTERM)
        finish(running)
    run_launcher("--ignore-failures").check()
    failed = dict.fromkeys(("unhandled", "orphan"), "FAILED")
    assert states() == {**dict.fromkeys(states(), "JOB_FINISHED"), **failed}
    assert "handled parent error" in named("parent error").state_history
    assert history(named("child timeout"))[-2:] == ["RUN_TIMEOUT", "JOB_FINISHED"]
    assert f"Parent {named('unhandled').cute_id} is FAILED" in named("orphan").state_history


def test_timed_out_parent_hands_its_children_to_a_rescue_job(tmp_path: Path) -> None:
    """T10: the handler spawns a job, detaches it, and makes it the parent of the children in its place."""
    started, order = tmp_path / "started", tmp_path / "order"
    handler = """
from django.db import transaction
with transaction.atomic():  # no launcher sees it half done
    rescue = dag.spawn_child(name='rescue', application='note', args='rescue', post_timeout_handler=False)
    rescue.set_parents([])
    rescue.update_state('CREATED', f'rescues {job.cute_id}')
    for child in list(job.get_children()):
        if child.name != 'rescue':
            child.set_parents([rescue])
            child.update_state('AWAITING_PARENTS', f'waits for {rescue.cute_id}')
    job.update_state('JOB_FINISHED', f'rescued by {rescue.cute_id}')
"""
    add_app("note", str(script(tmp_path, "note", f"#!/bin/sh\necho $1 >> {order}\n")))
    text = f"#!/bin/sh\ntouch {started}\nexec sleep 600\n"
    slow = str(script(tmp_path, "slow", text))
    add_app("slow", slow, postprocess=str(dag_script(tmp_path, "post.py", handler)))
    parent = add_job(application="slow", name="parent", workflow="w", post_timeout_handler=True)
    for name in ("child1", "child2"):
        add_job(parent, application="note", name=name, args=name, workflow="w")
    with launcher() as running:
        wait_until(started.exists)
        running.send_signal(signal.SIGTERM)
        finish(running)
    run_launcher().check()
    assert states() == dict.fromkeys(("parent", "child1", "child2", "rescue"), "JOB_FINISHED")
    assert lines(order)[0] == "rescue" and len(lines(order)) == 3
    rescue = named("rescue")
    assert rescue.get_parents_by_id() == []
    assert f"rescued by {rescue.cute_id}" in parent.state_history
    assert f"rescues {parent.cute_id}" in rescue.state_history
    assert f"Spawned by {parent.cute_id}" in rescue.state_history
    for name in ("child1", "child2"):
        assert named(name).get_parents_by_id() == [str(rescue.job_id)]
        assert f"waits for {rescue.cute_id}" in named(name).state_history


def test_reduce_job_waits_for_the_jobs_that_a_hook_adds(tmp_path: Path) -> None:
    """T11: a postprocess spawns jobs and makes them parents of a job that waits already."""
    spawn = """
reduce = job.get_child_by_name('reduce')
for number in range(5):
    child = dag.spawn_child(name=f'map{number}', application='square', input_files=f'side{number}.dat')
    dag.add_dependency(child, reduce)
"""
    text = "#!/bin/sh\nfor i in 0 1 2 3 4; do echo $((i + 2)) > side$i.dat; done\n"
    make = str(script(tmp_path, "make", text))
    add_app("make", make, postprocess=str(dag_script(tmp_path, "post.py", spawn)))
    add_app("square", str(script(tmp_path, "square", SQUARE)))
    add_app("sum", str(script(tmp_path, "sum", SUM)))
    first = add_job(application="make", name="make", workflow="dynamic")
    reduce = add_job(first, application="sum", name="reduce", workflow="dynamic", input_files="square*.dat*")
    run_launcher().check()
    assert set(states().values()) == {"JOB_FINISHED"} and len(states()) == 7
    assert len(reduce.get_parents_by_id()) == 6
    assert reduce.read_file_in_workdir("sum.dat") == f"{4 + 9 + 16 + 25 + 36}\n"
    assert {job.get_parents_by_id()[0] for job in BalsamJob.objects.filter(name__startswith="map")} == {
        str(first.job_id)
    }


def test_edges_that_a_script_adds_under_a_running_launcher_hold(tmp_path: Path) -> None:
    """As scripts do: two jobs, then the edge, though the launcher may have started both by then."""
    notes = tmp_path / "notes"
    add_app("note", str(script(tmp_path, "note", f"#!/bin/sh\nsleep 0.4\necho $1 >> {notes}\n")))
    with launcher("--persistent") as running:
        add_job(application="note", args="first")
        wait_until(lambda: lines(notes))
        for number in range(4):
            parent, child = (
                add_job(application="note", args=f"{kind}{number}", name=kind, node_packing_count=16)
                for kind in ("parent", "child")
            )
            dag.add_dependency(parent, child)
        wait_until(lambda: len(lines(notes)) >= 9)
        running.send_signal(signal.SIGTERM)
        finish(running)
    order = lines(notes)
    assert len(order) == 9
    assert all(order.index(f"parent{n}") < order.index(f"child{n}") for n in range(4))

"""What hooks and applications of real workflows do to the graph they are part of."""

import multiprocessing
import os
from collections.abc import Callable

import pytest
from django.db import connection

from balsam.core.invariants import violations
from balsam.core.models import BalsamJob
from balsam.launcher import dag
from balsam.states import JobState as S
from tests.jobs import (
    add_app,
    add_job,
    add_jobs,
    claim,
    finish,
    history,
    messages,
    open_session,
    report,
    run_all,
    state_of,
)

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Callable[[BalsamJob], None]:
    """Be inside a job from now on."""
    return lambda job: monkeypatch.setenv("BALSAM_JOB_ID", str(job.pk))


def in_processes(count: int, action: Callable[[int], object]) -> list[object]:
    """Run an action in forked processes at once; return what each returned."""
    connection.close()
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    processes = [
        context.Process(target=lambda index=index: results.put(action(index))) for index in range(count)
    ]
    for process in processes:
        process.start()
    collected = [results.get() for _ in processes]
    for process in processes:
        process.join(timeout=60)
    return collected


def test_a_timeout_handler_hands_its_children_to_a_rescue_job(inside: Callable[[BalsamJob], None]):
    add_app("handled", postprocess="/bin/true")
    parent = add_job(name="parent", application="handled", post_timeout_handler=True, workflow="wf")
    children = [add_job(parent, name=f"child{i}") for i in range(2)]
    session = open_session()
    report(session, claim(session), S.RUNNING, S.RUN_TIMEOUT)
    assert state_of(parent) == "RUN_TIMEOUT"

    inside(parent)
    rescue = dag.spawn_child(name="rescue", application="true", clone=True, post_timeout_handler=False)
    rescue.set_parents([])
    for child in dag.children.filter(name__startswith="child"):
        child.set_parents([rescue])
        child.update_state("AWAITING_PARENTS", f"Waits for {rescue.cute_id} instead")
    dag.current_job.update_state("JOB_FINISHED", f"Handled: {rescue.cute_id} takes over")

    assert BalsamJob.objects.count() == 4
    assert state_of(rescue) == "PREPROCESSED"
    assert [state_of(child) for child in children] == ["AWAITING_PARENTS"] * 2
    run_all(session)
    assert {state_of(job) for job in (*children, rescue, parent)} == {"JOB_FINISHED"}
    assert rescue.cute_id in messages(parent) and parent.cute_id in messages(rescue)
    assert rescue.cute_id in messages(children[0])


def test_a_reduce_job_waits_for_parents_that_its_parent_spawns(inside: Callable[[BalsamJob], None]):
    add_app("mapper", postprocess="/bin/true")
    first = add_job(name="map", application="mapper")
    reduce = add_job(first, name="reduce")
    session = open_session()
    report(session, claim(session), S.RUNNING, S.RUN_DONE)

    inside(first)
    for i in range(6):
        child = dag.spawn_child(name=f"map{i}", application="true")
        dag.add_dependency(child, reduce)
    dag.current_job.update_state("JOB_FINISHED")

    assert len(reduce.get_parents_by_id()) == 7
    specs = claim(session)
    assert sorted(spec.name for spec in specs) == [f"map{i}" for i in range(6)]
    finish(session, specs[1:])
    assert state_of(reduce) == "AWAITING_PARENTS"
    finish(session, specs[:1])
    assert [spec.name for spec in claim(session)] == ["reduce"]


def test_a_post_script_builds_and_kills_trees(inside: Callable[[BalsamJob], None]):
    root = add_job(name="root", workflow="wf")
    inside(root)
    child = dag.spawn_child(clone=True, name="child")
    left, right, below = [dag.add_job(name, "wf", "true") for name in ("left", "right", "below")]
    dag.add_dependency(left, below)
    dag.add_dependency(child, left)

    dag.kill(left)
    assert [state_of(job) for job in (left, below)] == ["USER_KILLED"] * 2
    assert [state_of(job) for job in (child, right)] == ["AWAITING_PARENTS", "PREPROCESSED"]
    assert violations() == []


@pytest.mark.parametrize(
    ("outcome", "handler", "expected"),
    [
        (S.RUN_TIMEOUT, "post_timeout_handler", "JOB_FINISHED"),
        (S.RUN_ERROR, "post_error_handler", "JOB_FINISHED"),
    ],
)
def test_a_handled_failure_lets_the_children_run(outcome: S, handler: str, expected: str):
    add_app("handled", postprocess="/bin/true")
    parent = add_job(application="handled", **{handler: True})
    child = add_job(parent)
    session = open_session()
    report(session, claim(session), S.RUNNING, outcome)
    parent.update_state("JOB_FINISHED", "It was good enough")

    run_all(session)
    assert state_of(child) == expected
    assert history(parent)[-2:] == [outcome.value, "JOB_FINISHED"]


def test_every_rank_of_an_application_may_add_jobs():
    add_app()

    def add(rank: int) -> str:
        return str(dag.add_job(f"rank{rank}", "wf", "true", data={"rank": rank}).pk)

    added = in_processes(16, add)

    assert len(set(added)) == BalsamJob.objects.count() == 16
    run_all()
    assert {state_of(job) for job in BalsamJob.objects.all()} == {"JOB_FINISHED"}


def test_ranks_acquire_disjoint_jobs_that_others_do_not_see():
    ids = [job.pk for job in add_jobs(100)]

    def acquire(rank: int) -> tuple[int, list[str], list[str], str]:
        got = BalsamJob.source.acquire(ids[rank:] + ids[:rank])
        seen = [str(job.pk) for job in BalsamJob.source.all() if job.lock]
        locks = set(BalsamJob.objects.filter(pk__in=got).values_list("lock", flat=True))
        return os.getpid(), [str(pk) for pk in got], seen, ",".join(locks)

    shares = in_processes(8, acquire)

    taken = [pk for _, got, _, _ in shares for pk in got]
    assert len(taken) == len(set(taken))
    for pid, got, seen, locks in shares:
        assert set(got) <= set(seen)
        assert not got or locks.endswith(f":{pid}")
    assert BalsamJob.objects.exclude(lock="").count() == 100

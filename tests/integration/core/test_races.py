"""Several sessions and users at once, each on a connection of its own: nothing is lost, done twice or stuck.

Each race is run many times over, since which side wins differs.
"""

import functools
import os
import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest
from django.db import connection, transaction

from balsam.core import dependencies, leases, sql, transitions
from balsam.core.invariants import violations
from balsam.core.models import BalsamJob, JobDependency
from balsam.core.retrying import retrying
from balsam.exceptions import CycleError, InvalidParentsError, InvalidStateError
from balsam.states import JobState as S
from tests.jobs import (
    add_job,
    add_jobs,
    at_once,
    claim,
    finish,
    history,
    open_session,
    report,
    run_all,
    state_of,
)

pytestmark = pytest.mark.usefixtures("db")

#: The contract asks for 1,000 in the nightly run.
REPEATS = int(os.environ.get("BALSAM_TEST_REPEATS", "25"))


def assert_sound() -> None:
    assert [str(violation) for violation in violations()] == []


def repeated(race: Callable[..., None]) -> Callable[..., None]:
    """Run a race many times over, and see that it leaves no damage."""

    @functools.wraps(race)
    def races(*args: object, **kwargs: object) -> None:
        for _ in range(REPEATS):
            race(*args, **kwargs)
        assert_sound()

    return races


def refused(results: list[object], *expected: type[Exception]) -> list[object]:
    """Return the errors among results, all of which must be expected."""
    errors = [result for result in results if isinstance(result, Exception)]
    unexpected = [error for error in errors if not isinstance(error, expected)]
    assert not unexpected, unexpected
    return list(errors)


# -- claims ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["claim_jobs", "claim_steps", "acquire_jobs", "acquire_for_session"])
def test_claims_skip_what_others_have_locked(name: str):
    statement = " ".join(sql.statement(name).split())

    assert "FOR UPDATE SKIP LOCKED" in statement
    assert "FROM core_session WHERE id = %(session_id)s AND ended IS NULL FOR SHARE" in statement


def test_eight_launchers_share_ten_thousand_jobs_without_a_double_claim():
    jobs = add_jobs(10_000)

    def claim_all() -> list[str]:
        session, got = open_session(), []
        while specs := claim(session, 200):
            got += [spec.job_id for spec in specs]
        return got

    shares = at_once(*[claim_all] * 8)

    claimed = [job_id for share in shares for job_id in share]
    assert len(claimed) == len(set(claimed)) == len(jobs)
    assert len([share for share in shares if share]) > 1
    assert_sound()


@repeated
def test_a_claim_by_a_session_that_is_being_ended_leaves_nothing_behind():
    jobs = add_jobs(20)
    session = open_session()
    at_once(lambda: claim(session), lambda: leases.close(session, "taken over"))

    assert not BalsamJob.objects.filter(session=session).exists()
    BalsamJob.objects.filter(pk__in=[job.pk for job in jobs]).delete()


def test_scripts_acquire_disjoint_jobs():
    ids = [job.pk for job in add_jobs(200)]

    def acquire(seed: int) -> list[object]:
        shuffled = random.Random(seed).sample(ids, len(ids))
        session = open_session()
        rows = sql.fetch("acquire_jobs", ids=[str(pk) for pk in shuffled], session_id=session)
        return [row[0] for row in rows]

    got = [pk for share in at_once(*[lambda seed=seed: acquire(seed) for seed in range(6)]) for pk in share]

    assert len(got) == len(set(got)) == 200


# -- ends ----------------------------------------------------------------------------------------------------


@repeated
def test_kill_and_finish_leave_one_end():
    session = open_session()
    job = add_job()
    specs = claim(session)
    report(session, specs, S.RUNNING)

    results = at_once(
        lambda: report(session, specs, S.RUN_DONE),
        lambda: BalsamJob.objects.get(pk=job.pk).update_state("USER_KILLED"),
    )

    assert (state_of(job) == "USER_KILLED") == bool(results[0].late)
    assert bool(results[0].late) != bool(refused(results, InvalidStateError))
    assert sum(state in ("JOB_FINISHED", "USER_KILLED", "FAILED") for state in history(job)) == 1


@repeated
def test_kill_and_failure_leave_one_end():
    session = open_session()
    job = add_job()
    specs = claim(session)
    at_once(
        lambda: report(session, specs, S.RUNNING, S.RUN_ERROR),
        lambda: transitions.set_state([job.pk], "USER_KILLED"),
    )

    assert sum(state in ("FAILED", "USER_KILLED") for state in history(job)) == 1


@repeated
def test_two_owners_that_finish_the_same_job_leave_one_result():
    job = add_job()
    first, second = open_session(), open_session()
    old = claim(first)
    transitions.recover(first, "lost")
    new = claim(second)
    replies = at_once(lambda: finish(first, old), lambda: finish(second, new))

    assert [len(reply.late) for reply in replies] == [1, 0]
    assert history(job).count("RUN_DONE") == 1


@repeated
def test_the_same_report_twice_at_once_counts_once():
    session = open_session()
    job = add_job()
    specs = claim(session)
    replies = at_once(lambda: finish(session, specs), lambda: finish(session, specs))

    assert [reply.late for reply in replies] == [(), ()]
    assert history(job).count("RUNNING") == 1


# -- families ------------------------------------------------------------------------------------------------


@repeated
def test_both_parents_of_a_diamond_finish_at_once():
    first, second = open_session(), open_session()
    left, right = add_job(), add_job()
    child = add_job(left, right)
    one, other = claim(first, 1), claim(second, 1)
    replies = at_once(lambda: finish(first, one), lambda: finish(second, other))

    assert state_of(child) == "PREPROCESSED"
    assert sorted(reply.released for reply in replies) == [0, 1]
    run_all(first)


@pytest.mark.parametrize(
    ("policy", "expected"), [("fail", "FAILED"), ("ignore", "PREPROCESSED"), ("hold", "AWAITING_PARENTS")]
)
@repeated
def test_one_parent_of_a_diamond_finishes_while_the_other_fails(policy: str, expected: str):
    left, right = add_job(), add_job()
    child = add_job(left, right, on_parent_failure=policy)
    at_once(
        lambda: transitions.set_state([left.pk], "JOB_FINISHED"),
        lambda: transitions.set_state([right.pk], "FAILED"),
    )

    assert state_of(child) == expected


@pytest.mark.parametrize("end", ["JOB_FINISHED", "FAILED"])
@repeated
def test_a_child_added_while_its_parent_ends_is_not_forgotten(end: str):
    parent, child = add_job(), add_job(add_job())
    at_once(
        lambda: transitions.set_state([parent.pk], end),
        lambda: dependencies.add_edges([(parent.pk, child.pk)]),
    )

    child.refresh_from_db()
    assert (child.state, child.pending_parents) == (
        ("AWAITING_PARENTS", 1) if end == "JOB_FINISHED" else ("FAILED", child.pending_parents)
    )


@pytest.mark.parametrize("end", ["JOB_FINISHED", "FAILED"])
@repeated
def test_a_job_inserted_while_its_parent_ends_is_not_forgotten(end: str):
    parent = add_job()
    _, child = at_once(
        lambda: transitions.set_state([parent.pk], end),
        lambda: add_job(parent),
    )

    assert state_of(child) == ("PREPROCESSED" if end == "JOB_FINISHED" else "FAILED")


@repeated
def test_a_parent_that_finishes_while_it_is_taken_away_is_not_counted_twice():
    leaving, staying = add_job(), add_job()
    child = add_job(leaving, staying)
    at_once(
        lambda: transitions.set_state([leaving.pk], "JOB_FINISHED"),
        lambda: BalsamJob.objects.get(pk=child.pk).set_parents([staying]),
    )

    child.refresh_from_db()
    assert (child.state, child.pending_parents) == ("AWAITING_PARENTS", 1)


@repeated
def test_a_parent_deleted_while_another_finishes_fails_the_child():
    one, other = add_job(), add_job()
    child = add_job(one, other)
    at_once(lambda: one.delete(), lambda: transitions.set_state([other.pk], "JOB_FINISHED"))

    assert state_of(child) == "FAILED"


@repeated
def test_a_parent_deleted_while_a_child_is_added_leaves_no_child_waiting_for_it():
    parent, child = add_job(), add_job()
    results = at_once(lambda: parent.delete(), lambda: dependencies.add_edges([(parent.pk, child.pk)]))

    assert state_of(child) == ("PREPROCESSED" if refused(results, InvalidParentsError) else "FAILED")


@repeated
def test_a_child_reset_while_its_parents_end_waits_for_the_right_ones():
    parents = [add_job(), add_job()]
    child = add_job(*parents)
    child.update_state("FAILED")
    at_once(
        lambda: transitions.set_state([parents[0].pk], "JOB_FINISHED"),
        lambda: transitions.set_state([child.pk], "CREATED"),
        lambda: transitions.set_state([parents[1].pk], "JOB_FINISHED"),
    )

    assert state_of(child) == "PREPROCESSED"


@repeated
def test_a_parent_reset_while_its_other_parent_finishes_holds_the_child():
    done, running = add_job(), add_job()
    child = add_job(done, running)
    done.update_state("JOB_FINISHED")
    at_once(
        lambda: transitions.set_state([done.pk], "CREATED"),
        lambda: transitions.set_state([running.pk], "JOB_FINISHED"),
    )

    child.refresh_from_db()
    assert (child.state, child.pending_parents) == ("AWAITING_PARENTS", 1)


@repeated
def test_two_edges_that_close_a_cycle_together_are_not_both_added():
    a, b = add_job(), add_job()
    results = at_once(
        lambda: dependencies.add_edges([(a.pk, b.pk)]), lambda: dependencies.add_edges([(b.pk, a.pk)])
    )

    assert len(refused(results, CycleError)) == 1
    assert JobDependency.objects.filter(parent__in=[a, b]).count() == 1


@repeated
def test_a_cycle_of_eight_edges_added_at_once_is_refused():
    jobs = add_jobs(8)
    edges = [*pairwise(jobs), (jobs[-1], jobs[0])]
    results = at_once(
        *[lambda edge=edge: dependencies.add_edges([(edge[0].pk, edge[1].pk)]) for edge in edges]
    )

    assert len(refused(results, CycleError)) == 1


# -- saving --------------------------------------------------------------------------------------------------


@repeated
def test_two_scripts_that_save_different_columns_both_succeed():
    job = add_job(args="old", data={"x": 0})
    one, other = BalsamJob.objects.get(pk=job.pk), BalsamJob.objects.get(pk=job.pk)
    one.data["x"] = 1
    other.args = "new"
    at_once(one.save, other.save)

    job.refresh_from_db()
    assert (job.data, job.args) == ({"x": 1}, "new")


# -- deadlocks -----------------------------------------------------------------------------------------------


def test_writers_that_touch_the_same_jobs_in_any_order_all_succeed():
    """Eight writers move, link, report and kill shuffled halves of a graph with many edges."""
    jobs = add_jobs(60)
    ids = [job.pk for job in jobs]
    rng = random.Random(7)
    dependencies.add_edges(
        [(ids[i], ids[j]) for i in range(60) for j in range(i + 1, 60) if rng.random() < 0.05]
    )

    def write(seed: int) -> None:
        own = random.Random(seed)
        session = open_session()
        for _ in range(REPEATS // 2):
            some = own.sample(ids, 30)
            match own.randrange(5):
                case 0:
                    transitions.set_state(some, "FAILED")
                case 1:
                    transitions.set_state(some, "CREATED")
                case 2:
                    finish(session, claim(session, 20))
                case 3:
                    transitions.re_evaluate(some)
                case 4:
                    leases.reconcile(session, [])

    results = at_once(*[lambda seed=seed: write(seed) for seed in range(8)])

    assert refused(results) == []
    assert_sound()


def test_a_deadlock_is_repeated_until_it_passes():
    """Two writers lock the same two jobs in opposite order by hand; one is the victim and tries again."""
    first, second = add_jobs(2)
    tries: Counter[str] = Counter()

    def lock_both(name: str, one: BalsamJob, other: BalsamJob) -> None:
        @retrying
        def work() -> None:
            tries[name] += 1
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM core_balsamjob WHERE job_id = %s FOR UPDATE", [one.pk])
                cursor.execute("SELECT pg_sleep(0.1)")
                cursor.execute("SELECT 1 FROM core_balsamjob WHERE job_id = %s FOR UPDATE", [other.pk])

        work()

    results = at_once(lambda: lock_both("a", first, second), lambda: lock_both("b", second, first))

    assert results == [None, None]
    assert sum(tries.values()) > 2

"""Waiting for jobs on a real database."""

import threading
from collections.abc import Callable

import pytest
from django.db import connection

from balsam.core import waiting
from balsam.core.models import BalsamJob
from balsam.exceptions import DatabaseUnreachable, UsageError
from balsam.launcher.futures import FutureTask, TaskFailed, WaitResult, wait
from balsam.states import JobState
from tests.jobs import add_job, state_of
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")


def once_somebody_waits(action: Callable[[], object]) -> threading.Thread:
    """Do something in another thread as soon as somebody listens for the ends of jobs."""

    def act() -> None:
        wait_until(is_listened_to)
        action()
        connection.close()

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def is_listened_to() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
        return cursor.fetchone() is not None


def later(job: BalsamJob, state: str) -> threading.Thread:
    """End a job once somebody waits for it."""
    return once_somebody_waits(lambda: BalsamJob.objects.get(pk=job.pk).update_state(state))


def name_of(job: BalsamJob) -> str:
    return job.name


def test_the_result_of_a_finished_job_is_made_once():
    job = add_job(name="a")
    calls: list[tuple[object, ...]] = []
    future = FutureTask(job, lambda *args, **kwargs: calls.append((args, kwargs)) or "made", None, 1, key=2)
    assert future.active and not (future.done or future.failed or future.cancelled)
    job.update_state("JOB_FINISHED")

    assert (future.result(), future.result()) == ("made", "made")
    assert calls == [((job, 1), {"key": 2})]
    assert future.done and not future.active


def test_the_callback_gets_the_job_as_it_ended():
    job = add_job()
    future = FutureTask(job, lambda job: (job.state, job.data["y"]))
    stored = BalsamJob.objects.get(pk=job.pk)
    stored.data["y"] = 4
    stored.save()
    stored.update_state("JOB_FINISHED")

    assert future.result() == ("JOB_FINISHED", 4)


def test_a_failed_job_raises_with_its_reason():
    job = add_job(name="bad")
    job.update_state("FAILED", "out of luck")
    future = FutureTask(job, name_of)

    with pytest.raises(TaskFailed, match="out of luck"):
        future.result()
    assert future.failed


def test_a_fail_callback_makes_the_result_of_a_failed_job():
    job = add_job()
    job.update_state("FAILED")

    assert FutureTask(job, name_of, lambda job, extra: f"{job.state} {extra}", 7).result() == "FAILED 7"


def test_a_cancelled_job_has_no_result():
    job = add_job()
    child = add_job(job)
    future = FutureTask(job, name_of)

    future.cancel()

    assert future.result() is None and future.cancelled
    assert state_of(child) == "USER_KILLED"


def test_a_deleted_job_counts_as_cancelled():
    job = add_job()
    future = FutureTask(job, name_of)
    BalsamJob.objects.get(pk=job.pk).delete()

    assert future.cancelled and future.result() is None


def test_attributes_may_be_set():
    future = FutureTask(add_job(), name_of)
    future.task_args = (1, 2)

    assert future.task_args == (1, 2)


def test_a_result_that_does_not_come_in_time_is_a_timeout():
    with pytest.raises(TimeoutError, match="1 of 1 jobs"):
        FutureTask(add_job(), name_of).result(timeout=0.1)


def test_a_waiting_result_is_woken_by_the_end_of_the_job():
    job = add_job(name="a")
    thread = later(job, "JOB_FINISHED")

    futures = [FutureTask(job, name_of)]
    result = wait(futures, timeout=60, poll_period=3600)

    thread.join()
    assert result == WaitResult([], futures, [], [])


def test_the_end_of_another_job_is_not_taken_for_it():
    job, other = add_job(name="a"), add_job(name="b")
    looks: list[int] = []

    def end_both() -> None:
        other.update_state("FAILED")
        wait_until(lambda: len(looks) > 2)
        BalsamJob.objects.get(pk=job.pk).update_state("JOB_FINISHED")

    class Watched(FutureTask):
        def _learn(self, end: JobState | None) -> None:
            looks.append(1)
            super()._learn(end)

    thread = once_somebody_waits(end_both)
    assert Watched(job, name_of).result(timeout=60) == "a"
    thread.join()


def test_deleting_a_job_wakes_who_waits_for_it():
    job = add_job()

    thread = once_somebody_waits(BalsamJob.objects.filter(pk=job.pk).delete)
    result = wait([FutureTask(job, name_of)], timeout=60, poll_period=3600)
    thread.join()
    assert len(result.cancelled) == 1


def test_waiting_for_any_returns_when_one_has_ended():
    jobs = [add_job(name=name) for name in "abc"]
    futures = [FutureTask(job, name_of) for job in jobs]
    jobs[1].update_state("JOB_FINISHED")

    result = wait(futures)

    assert (result.done, result.active) == ([futures[1]], [futures[0], futures[2]])


def test_waiting_for_all_returns_when_all_have_ended():
    jobs = [add_job(name=name) for name in "abc"]
    futures = [FutureTask(job, name_of) for job in jobs]
    jobs[0].update_state("FAILED")
    jobs[1].update_state("USER_KILLED")
    thread = later(jobs[2], "JOB_FINISHED")

    result = wait(futures, timeout=60, return_when="ALL_COMPLETED", poll_period=3600)

    thread.join()
    assert result == WaitResult([], [futures[2]], [futures[0]], [futures[1]])


def test_waiting_for_all_times_out_while_one_is_active():
    jobs = [add_job(), add_job()]
    jobs[0].update_state("FAILED")

    with pytest.raises(TimeoutError, match="1 of 2 jobs"):
        wait([FutureTask(job, name_of) for job in jobs], timeout=0.1, return_when="ALL_COMPLETED")


@pytest.mark.parametrize("return_when", ["ANY_COMPLETED", "ALL_COMPLETED"])
def test_waiting_for_nothing_returns_at_once(return_when: str):
    assert wait([], return_when=return_when) == WaitResult([], [], [], [])  # type: ignore[arg-type]


def test_an_unknown_condition_is_refused():
    with pytest.raises(UsageError, match="ALL_COMPLETED"):
        wait([], return_when="FIRST")  # type: ignore[arg-type]


def test_the_poll_period_does_where_no_word_comes(monkeypatch: pytest.MonkeyPatch):
    job = add_job(name="a")

    def refuse() -> None:
        BalsamJob.objects.get(pk=job.pk).update_state("JOB_FINISHED")
        raise DatabaseUnreachable()

    monkeypatch.setattr(waiting, "DatabaseListener", refuse)

    assert len(wait([FutureTask(job, name_of)], timeout=60, poll_period=0.05).done) == 1

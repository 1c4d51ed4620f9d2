"""Batch jobs in the database: intents, the fence around a submission, observations, and the demand."""

import threading
from typing import Any

import pytest

from balsam.client import Client
from balsam.core.models import BalsamJob, QueuedLaunch
from balsam.exceptions import NotFoundError, UsageError
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobObservation, BatchJobRequest, DemandRequest
from balsam.states import BatchJobEnd, BatchJobState, JobState
from tests.jobs import add_job, add_jobs, claim, open_session, report

B = BatchJobState
pytestmark = pytest.mark.usefixtures("db")
client = Client()


def intend(**fields: Any) -> BatchJobInfo:
    request = {"scheduler": "slurm", "project": "p", "queue": "q", "num_nodes": 2, "wall_time_min": 30}
    return client.intend_batch_job(BatchJobRequest(**{**request, "job_mode": "mpi", **fields}))


def submitted(scheduler_id: str = "77") -> BatchJobInfo:
    info = intend()
    assert client.begin_submission(info.batch_job_id, 60)
    return client.record_submission(info.batch_job_id, scheduler_id, "/db/qsubmit/qlaunch1.sh")


def seen(scheduler_id: str, state: BatchJobState, **fields: Any) -> BatchJobObservation:
    return BatchJobObservation(scheduler="slurm", scheduler_id=scheduler_id, state=state, **fields)


def again(info: BatchJobInfo) -> BatchJobInfo:
    (found,) = client.batch_jobs(live_only=False, ids=[info.batch_job_id])
    return found


def observe(*observations: BatchJobObservation) -> tuple[int, ...]:
    return client.observe_batch_jobs(observations).ended


# -- intents and submissions ---------------------------------------------------------------------------


def test_an_intent_is_pending_with_a_marker_of_its_own():
    first, second = intend(workflow="wf", sched_flags="-x", optional_params={"a": "b"}), intend()

    assert first.state is B.PENDING_SUBMISSION
    assert first.native_state == "pending-submission"
    assert (first.workflow, first.sched_flags, first.optional_params) == ("wf", "-x", {"a": "b"})
    assert len({first.marker, second.marker}) == 2
    assert len(first.marker) == 15
    assert client.batch_jobs() == [again(first), again(second)]


def test_an_impossible_shape_leaves_no_intent():
    with pytest.raises(UsageError, match="at least 1 node"):
        intend(num_nodes=0)
    with pytest.raises(UsageError, match="'both'"):
        intend(job_mode="both")
    assert client.batch_jobs(live_only=False) == []


def test_a_row_that_a_script_saves_is_no_intent():
    QueuedLaunch.objects.create(queue="q")
    assert client.batch_jobs(live_only=False) == []


def test_one_process_at_a_time_may_submit():
    info = intend()
    first = client.begin_submission(info.batch_job_id, 60)

    assert first is not None
    assert first.submit_began is None
    assert client.begin_submission(info.batch_job_id, 60) is None


def test_of_many_that_begin_at_once_one_may_submit():
    info, got = intend(), list[BatchJobInfo | None]()
    barrier = threading.Barrier(6)

    def begin() -> None:
        barrier.wait()
        got.append(client.begin_submission(info.batch_job_id, 60))
        client.transport.close()

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(reply is not None for reply in got) == 1


def test_a_lease_that_is_over_lets_the_next_one_submit_and_tells_of_the_first():
    info = intend()
    client.begin_submission(info.batch_job_id, 0)
    second = client.begin_submission(info.batch_job_id, 60)

    assert second is not None
    assert second.submit_began is not None


def test_a_recorded_submission_is_queued_and_repeating_it_changes_nothing():
    info = submitted()
    assert (info.state, info.native_state, info.scheduler_id) == (B.QUEUED, "submitted", "77")
    assert info.command == "/db/qsubmit/qlaunch1.sh"
    assert info.submitted is not None

    once_more = client.record_submission(info.batch_job_id, "77", info.command)
    assert once_more.submitted == info.submitted
    assert client.begin_submission(info.batch_job_id, 60) is None


def test_a_refused_submission_has_ended_with_the_words_of_the_scheduler():
    info = client.refuse_submission(intend().batch_job_id, "invalid partition: q")

    assert (info.state, info.reason) == (B.SUBMIT_FAILED, "invalid partition: q")
    assert info.ended is not None
    assert client.batch_jobs() == []


def test_deleting_what_was_never_submitted_ends_it_at_once():
    info = client.request_batch_job_deletion(intend().batch_job_id)
    assert (info.state, info.end) == (B.FINISHED, BatchJobEnd.CANCELLED)


def test_unknown_batch_jobs_are_not_found():
    with pytest.raises(NotFoundError, match="no batch job 9"):
        client.request_batch_job_deletion(9)
    assert client.begin_submission(9, 1) is None


def test_every_change_is_told_to_listeners():
    listener = client.listen()
    try:
        submitted()
        assert "batch" in listener.wait(20)
    finally:
        listener.close()


# -- observations --------------------------------------------------------------------------------------


def test_observations_take_a_batch_job_through_its_life():
    info = submitted()
    assert observe(seen("77", B.QUEUED, native_state="PENDING", reason="Priority")) == ()
    assert (again(info).native_state, again(info).reason) == ("PENDING", "Priority")
    observe(seen("77", B.RUNNING, native_state="RUNNING"))
    assert again(info).started is not None
    assert observe(seen("77", B.FINISHED, native_state="TIMEOUT", end=BatchJobEnd.TIMEOUT)) == (
        info.batch_job_id,
    )
    assert (again(info).state, again(info).end) == (B.FINISHED, BatchJobEnd.TIMEOUT)
    assert again(info).ended is not None


def test_an_observation_that_says_nothing_new_changes_nothing():
    submitted()
    told = seen("77", B.RUNNING, native_state="RUNNING", queue="q")
    assert client.observe_batch_jobs([told]).changed == 1
    assert client.observe_batch_jobs([told]).changed == 0


def test_a_requeued_batch_job_waits_again():
    info = submitted()
    observe(seen("77", B.RUNNING))
    observe(seen("77", B.QUEUED))
    assert (again(info).state, again(info).started) == (B.QUEUED, None)


@pytest.mark.parametrize("state", [B.QUEUED, B.RUNNING, B.UNKNOWN])
def test_what_is_to_be_deleted_only_ever_finishes(state: BatchJobState):
    info = submitted()
    client.request_batch_job_deletion(info.batch_job_id)
    observe(seen("77", state, native_state="x"))
    assert again(info).state is B.PENDING_DELETION
    observe(seen("77", B.FINISHED, end=BatchJobEnd.CANCELLED))
    assert again(info).state is B.FINISHED


def test_an_unknown_native_state_leaves_the_state():
    info = submitted()
    observe(seen("77", B.RUNNING))
    observe(seen("77", B.UNKNOWN, native_state="LEVITATING"))
    assert (again(info).state, again(info).native_state) == (B.RUNNING, "LEVITATING")


def test_the_marker_in_a_listing_proves_that_a_submission_arrived():
    info = intend()
    client.begin_submission(info.batch_job_id, 60)
    observe(seen("78", B.RUNNING, name=info.marker, queue="q"))
    assert (again(info).state, again(info).scheduler_id) == (B.RUNNING, "78")
    assert client.record_submission(info.batch_job_id, "78", "/x").state is B.RUNNING


def test_the_marker_of_a_refused_submission_takes_the_refusal_back():
    info = client.refuse_submission(intend().batch_job_id, "timeout")
    observe(seen("78", B.QUEUED, name=info.marker, queue="q"))
    assert (again(info).state, again(info).scheduler_id) == (B.QUEUED, "78")


def test_a_vanished_batch_job_that_is_listed_by_its_name_is_there_again():
    info = submitted()
    observe(seen("77", B.FINISHED, end=BatchJobEnd.VANISHED))
    observe(seen("77", B.RUNNING, name=info.marker))
    assert (again(info).state, again(info).end, again(info).ended) == (B.RUNNING, None, None)


def test_an_old_listing_does_not_bring_an_ended_batch_job_back():
    info = submitted()
    observe(seen("77", B.FINISHED, end=BatchJobEnd.COMPLETED))
    observe(seen("77", B.RUNNING, name=info.marker, queue="q"))
    assert again(info).state is B.FINISHED
    assert QueuedLaunch.objects.count() == 1


def test_the_true_end_replaces_a_guess():
    info = submitted()
    observe(seen("77", B.FINISHED, end=BatchJobEnd.VANISHED))
    observe(seen("77", B.FINISHED, end=BatchJobEnd.NODE_FAIL))
    observe(seen("77", B.FINISHED, end=BatchJobEnd.UNKNOWN))
    assert again(info).end is BatchJobEnd.NODE_FAIL


def test_a_number_that_an_older_batch_job_has_after_all_is_its_own():
    older = submitted("77")
    observe(seen("77", B.QUEUED, name=older.marker))
    younger = submitted("77")
    observe(seen("77", B.QUEUED, name=younger.marker))
    assert again(older).end is BatchJobEnd.VANISHED

    observe(seen("77", B.RUNNING, name=older.marker))

    assert again(older).state is B.RUNNING
    assert again(younger).end is BatchJobEnd.VANISHED


def test_a_number_used_again_does_not_touch_the_old_batch_job():
    old = submitted()
    observe(seen("77", B.RUNNING, name=old.marker, queue="q"))
    observe(seen("77", B.QUEUED, name="somebody", queue="debug", native_state="PENDING"))
    assert (again(old).state, again(old).end, again(old).queue) == (B.FINISHED, BatchJobEnd.VANISHED, "q")
    assert client.batch_jobs()[0].from_balsam is False

    new = submitted("77")
    assert [info.batch_job_id for info in client.batch_jobs()] == [new.batch_job_id]
    observe(seen("77", B.FINISHED, end=BatchJobEnd.FAILED, name=new.marker))
    assert (again(old).end, again(new).end) == (BatchJobEnd.VANISHED, BatchJobEnd.FAILED)


def test_batch_jobs_of_others_have_rows_while_they_last():
    observe(seen("5", B.QUEUED, name="mine", queue="debug", project="p", num_nodes=4, wall_time_min=60))
    (row,) = client.batch_jobs()
    assert (row.from_balsam, row.queue, row.num_nodes, row.marker) == (False, "debug", 4, "")
    observe(seen("5", B.RUNNING, name="mine", queue="debug"))
    assert client.batch_jobs()[0].state is B.RUNNING
    assert observe(seen("5", B.FINISHED)) == ()
    assert client.batch_jobs(live_only=False) == []


def test_missing_only_counts_since_when():
    info = submitted()
    missing = seen("77", B.UNKNOWN, is_missing=True)
    observe(missing)
    since = again(info).missing_since
    observe(missing)
    assert since is not None
    assert (again(info).missing_since, again(info).state) == (since, B.QUEUED)
    assert again(info).age_sec(since) >= 0
    observe(seen("77", B.QUEUED, queue="q"))
    assert again(info).missing_since is None


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 10**6])
def test_whatever_a_scheduler_says_can_be_kept(text: str):
    info = submitted()
    hostile = seen("5", B.QUEUED, name=text, queue=text, project=text, native_state=text, reason=text)
    observe(
        seen(f"6{text}", B.RUNNING, queue=text, num_nodes=10**12, wall_time_min=-1),
        hostile,
        seen("77", B.RUNNING, reason=text),
    )
    assert again(info).state is B.RUNNING
    assert len(client.batch_jobs()) == 3
    assert client.doubt_submission(intend().batch_job_id, text).state is B.PENDING_SUBMISSION
    assert client.refuse_submission(intend().batch_job_id, text).state is B.SUBMIT_FAILED


def test_thousands_of_observations_take_a_few_statements(django_assert_max_num_queries: Any):
    told = [seen(str(i), B.QUEUED, name=f"j{i}", queue="q") for i in range(2000)]
    with django_assert_max_num_queries(10):
        assert client.observe_batch_jobs(told).changed == 2000


# -- demand --------------------------------------------------------------------------------------------


def shapes(workflow: str = "") -> list[tuple[object, ...]]:
    return [
        (d.num_nodes, d.num_ranks, d.packing, d.wall_time_min, d.is_ready, d.count)
        for d in client.demand(DemandRequest(workflow=workflow))
    ]


def test_demand_groups_jobs_by_shape():
    add_jobs(3, workflow="a", node_packing_count=8, wall_time_minutes=5)
    add_jobs(2, workflow="b", num_nodes=4, ranks_per_node=16, node_packing_count=8, wall_time_minutes=20)
    assert shapes() == [(1, 1, 8, 5, True, 3), (4, 64, 1, 20, True, 2)]
    assert shapes("b") == [(4, 64, 1, 20, True, 2)]


def test_demand_counts_what_runs_where_that_is_asked_for():
    add_jobs(3, workflow="a", node_packing_count=8)
    session = open_session()
    report(session, claim(session, 2), JobState.RUNNING)
    assert shapes() == [(1, 1, 8, 1, True, 1)]
    found = client.demand(DemandRequest(with_running=True))
    assert [(d.is_ready, d.is_running, d.count, d.total_nodes) for d in found] == [
        (False, True, 2, 0.25),
        (True, False, 1, 0.125),
    ]
    assert client.demand(DemandRequest(with_running=True, workflow="b")) == []


def test_demand_counts_what_may_become_ready_apart():
    parent = add_job(name="parent")
    add_job(parent, name="child")
    assert shapes() == [(1, 1, 1, 1, False, 1), (1, 1, 1, 1, True, 1)]


def test_demand_leaves_out_what_runs_has_ended_or_is_stuck():
    parent = add_job(name="parent")
    stuck = add_job(parent, name="stuck", on_parent_failure="hold")
    add_job(stuck, name="below")
    running = add_job(name="running")
    BalsamJob.objects.filter(pk=parent.pk).update(state=JobState.FAILED)
    QueuedLaunch.objects.create()
    BalsamJob.objects.filter(pk=running.pk).update(state=JobState.JOB_FINISHED)
    assert shapes() == []

"""OpenPBS and PBS Pro: JSON that is none, exit codes, ids with and without servers."""

from datetime import UTC, datetime

import pytest

from balsam.lib.commands import Answer
from balsam.platform.scheduler import BackfillWindow, Cancellation
from balsam.platform.scheduler.pbs import Pbs
from balsam.states import BatchJobEnd, BatchJobState
from tests.unit.platform.scheduler.captured import captured

B, E = BatchJobState, BatchJobEnd
PBS = Pbs()


@pytest.mark.parametrize("name", ["status-escapes", "status-quotes"])
def test_environment_that_breaks_the_json_does_no_harm(name: str):
    listing = PBS.parse_status(captured(f"pbs/{name}"), "alice")
    assert listing.is_complete, listing.problem
    assert listing.jobs["1001"].state is B.RUNNING


def test_what_can_be_read_of_a_cut_answer_is_kept():
    text = captured("pbs/status").stdout
    listing = PBS.parse_status(Answer(0, text[: text.index('"1003.pbs-01"') + 40]))
    assert not listing.is_complete
    assert list(listing.jobs) == ["1001", "1002"]


def test_numbers_and_times_of_the_listing_are_read():
    job = PBS.parse_status(captured("pbs/status"), "alice").jobs["1001"]
    assert (job.num_nodes, job.wall_time_min, job.time_remaining_min) == (2, 90, 62.0)
    assert (job.name, job.project, job.queue) == ("qlaunch-run", "demo", "prod")


def test_ends_are_told_by_exit_codes():
    history = PBS.parse_history(captured("pbs/history"))
    assert history.is_complete, history.problem
    assert [history.jobs[str(number)].end for number in range(1001, 1010)] == [
        E.COMPLETED, E.FAILED, E.CANCELLED, E.TIMEOUT, E.TIMEOUT, E.OUT_OF_MEMORY, E.NODE_FAIL, E.CANCELLED,
        None,
    ]  # fmt: skip
    job = history.jobs["1001"]
    assert job.submitted_at == datetime(2026, 11, 21, 9, 0, 5, tzinfo=UTC)
    assert job.ended_at == datetime(2026, 11, 21, 10, 40, tzinfo=UTC)
    assert history.jobs["1002"].reason == "exit status 3"


def test_unknown_ids_are_certainly_not_there():
    history = PBS.parse_history(captured("pbs/history-none"))
    assert (history.is_complete, history.jobs) == (True, {})


def test_history_that_is_off_says_all_it_can():
    history = PBS.parse_history(captured("pbs/history-off"))
    assert history.is_complete
    assert "no history" in history.problem


@pytest.mark.parametrize(
    ("text", "scheduler_id"),
    [
        ("123.pbs-01\n", "123"),
        ("123[].pbs-01.site.org\n", "123[]"),
        ("warning\n123.pbs-01\n", "123"),
        ("123\n", ""),
    ],
)
def test_server_is_left_out_of_the_id(text: str, scheduler_id: str):
    assert PBS.parse_submit(Answer(0, text)).scheduler_id == scheduler_id


@pytest.mark.parametrize(
    "text",
    [
        "qsub: Unknown queue", "qsub: Job violates queue and/or server resource limits",
        "qsub: Request rejected.  Reason: project x is not valid, connect to my.site.org",
        "qsub: Queue is not enabled",
        "qsub: would exceed queue debug's per-user limit of jobs in 'Q' state",
    ],
)  # fmt: skip
def test_refusal_is_certain(text: str):
    assert PBS.parse_submit(Answer(188, "", f"{text}\n")).refused == text


@pytest.mark.parametrize(
    ("code", "text", "done"),
    [
        (153, "qdel: Unknown Job Id 1.pbs-01", Cancellation.GONE),
        (35, "qdel: Job has finished 1.pbs-01", Cancellation.GONE),
        (0, "", Cancellation.ACCEPTED), (111, "cannot connect to server", Cancellation.UNKNOWN),
    ],
)  # fmt: skip
def test_cancellation_is_read(code: int, text: str, done: Cancellation):
    assert PBS.parse_cancel(Answer(code, "", text)) is done


def test_time_left_counts_from_the_start_and_what_is_used():
    # 09:10 to the timestamp is longer than the 28 minutes that PBS has counted
    left = PBS.parse_time_left(captured("pbs/time-left"))
    assert left is not None
    assert left <= 62


def test_free_and_empty_nodes_are_windows_of_their_queues():
    windows = PBS.parse_backfill(captured("pbs/backfill"))
    assert windows == {
        "": [BackfillWindow(1, 1440)], "debug": [BackfillWindow(2, 1440)], "prod": [BackfillWindow(1, 1440)],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "scheduler_id"), [("12.pbs-01", "12"), ("12", "12"), ("12[3].pbs-01", "12[]")]
)
def test_allocation_has_the_id_of_the_listing(text: str, scheduler_id: str):
    found = PBS.allocation({"PBS_JOBID": text})
    assert found is not None
    assert found.scheduler_id == scheduler_id

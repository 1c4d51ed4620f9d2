"""LSF: why batch jobs ended, times without years, slots that are nodes."""

from datetime import UTC, datetime

import pytest

from balsam.lib.commands import Answer
from balsam.platform.scheduler import BackfillWindow, Cancellation
from balsam.platform.scheduler.lsf import Lsf
from balsam.states import BatchJobEnd
from tests.unit.platform.scheduler.captured import captured

E = BatchJobEnd


def lsf(now: str = "2026-11-21T11:00") -> Lsf:
    return Lsf(now=lambda: datetime.fromisoformat(now).replace(tzinfo=UTC))


def test_numbers_and_times_of_the_listing_are_read():
    jobs = lsf().parse_status(captured("lsf/status")).jobs
    job = jobs["701"]
    assert (job.num_nodes, job.wall_time_min, job.time_remaining_min) == (2, 90, 40.0)
    assert jobs["702"].reason == "New job is waiting for scheduling;"
    assert jobs["704"].end is E.COMPLETED
    assert jobs["705"].end is E.FAILED
    assert jobs["708"].num_nodes is None


def test_that_there_is_none_may_be_said_in_words():
    listing = lsf().parse_status(captured("lsf/status-no-json"))
    assert (listing.is_complete, listing.jobs) == (True, {})


def test_records_that_are_not_as_many_as_counted_are_incomplete():
    text = captured("lsf/status").stdout.replace('"JOBS": 9', '"JOBS": 10')
    listing = lsf().parse_status(Answer(0, text))
    assert not listing.is_complete
    assert len(listing.jobs) == 8


def test_a_record_that_says_two_states_is_left_out():
    text = captured("lsf/status").stdout
    end = '"STAT": "DONE",\n'
    assert end in text
    first = text.index('"STAT"')
    listing = lsf().parse_status(Answer(0, text[:first] + end + text[first:]))
    assert not listing.is_complete
    assert "701" not in listing.jobs and len(listing.jobs) == 7


def test_ends_are_told_by_termination_reasons():
    history = lsf().parse_history(captured("lsf/history"))
    assert history.is_complete, history.problem
    assert {job_id: job.end for job_id, job in history.jobs.items()} == {
        "701": None, "704": E.COMPLETED, "705": E.FAILED, "711": E.TIMEOUT, "712": E.CANCELLED,
        "713": E.CANCELLED, "714": E.OUT_OF_MEMORY, "715": E.PREEMPTED, "716": E.TIMEOUT,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        ("Nov 21 10:40", "2026-11-21T11:00", "2026-11-21T10:40"),
        ("Dec 31 23:59", "2027-01-01T00:01", "2026-12-31T23:59"),
        ("Jan 1 00:01", "2026-12-31T23:59", "2027-01-01T00:01"),
        ("Feb 29 10:00", "2026-11-21T11:00", "2024-02-29T10:00"),
        ("Nov 21 10:40:07 2025", "2026-11-21T11:00", "2025-11-21T10:40:07"),
        ("Nov 21 10:40 L", "2026-11-21T11:00", "2026-11-21T10:40"),
        ("soon", "2026-11-21T11:00", None),
    ],
)
def test_times_without_a_year_are_of_the_past_year(text: str, now: str, expected: str | None):
    answer = captured("lsf/history").stdout.replace("Nov 21 10:40", text)
    found = lsf(now).parse_history(Answer(0, answer)).jobs["704"].ended_at
    assert found == (None if expected is None else datetime.fromisoformat(expected).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        "nosuch: No such queue. Job not submitted.",
        "RUNLIMIT: Cannot exceed queue's hard limit(s). Job not submitted.",
    ],
)  # fmt: skip
def test_refusal_is_certain(text: str):
    assert lsf().parse_submit(Answer(255, "", text)).refused == text


@pytest.mark.parametrize("text", ["Job <5>: No matching job found\n", "Job <5>: Job has already finished\n"])
def test_job_that_is_not_there_is_gone(text: str):
    assert lsf().parse_cancel(Answer(255, "", text)) is Cancellation.GONE


def test_free_slots_are_nodes_of_the_batch_queue():
    assert lsf().parse_backfill(captured("lsf/backfill")) == {
        "batch": [BackfillWindow(2, 1440), BackfillWindow(10, 99), BackfillWindow(100, 29)]
    }

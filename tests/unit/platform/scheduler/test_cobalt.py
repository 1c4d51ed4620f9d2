"""Cobalt: its table, its messages, its nodes."""

import pytest

from balsam.lib.commands import Answer
from balsam.platform.scheduler import BackfillWindow, Cancellation
from balsam.platform.scheduler.cobalt import Cobalt
from balsam.states import BatchJobState
from tests.unit.platform.scheduler.captured import captured

B = BatchJobState
COBALT = Cobalt()


def test_numbers_and_times_of_the_listing_are_read():
    jobs = COBALT.parse_status(captured("cobalt/status"), "alice").jobs
    job = jobs["501001"]
    assert (job.num_nodes, job.wall_time_min, job.project) == (128, 180, "demo")
    assert job.time_remaining_min == pytest.approx(179 + 1 / 6)
    assert jobs["501003"].wall_time_min == 30 * 60
    assert jobs["501005"].command == "/projects/demo/qsubmit/qlaunch5.sh a b"
    assert "depends" in jobs["501005"].reason


def test_rule_that_is_wide_for_no_rows_has_lost_them():
    lines = captured("cobalt/status").stdout.splitlines(keepends=True)
    assert not COBALT.parse_status(Answer(0, "".join(lines[:2]))).is_complete


@pytest.mark.parametrize(
    "text", ["501001\n", 'Memory mode set to flat quad\nJob routed to queue "debug".\n501001\n']
)
def test_id_stands_alone_on_its_line(text: str):
    assert COBALT.parse_submit(Answer(0, text)).scheduler_id == "501001"


@pytest.mark.parametrize(
    "text", ["Queue 'x' does not exist", "walltime out of bounds for queue debug", "x is not a valid project"]
)
def test_refusal_is_certain(text: str):
    assert COBALT.parse_submit(Answer(1, "", text)).refused == text


def test_job_that_is_not_there_is_gone():
    assert COBALT.parse_cancel(Answer(1, "", "qdel: job 5 not found\n")) is Cancellation.GONE


def test_windows_hold_all_nodes_that_are_idle_so_long():
    windows = COBALT.parse_backfill(captured("cobalt/backfill"))
    assert windows["default"] == [BackfillWindow(1, 120), BackfillWindow(2, 60)]
    assert windows["debug"] == [BackfillWindow(1, 120)]


def test_history_is_not_kept():
    assert COBALT.history_command(["5"], None) is None  # type: ignore[arg-type]

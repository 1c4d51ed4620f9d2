"""The last words of a launcher say what it did, why it ended, and what is left."""

import pytest

from balsam.launcher.tally import Tally
from balsam.schemas.sessions import Outlook, ReportReply


def outlook(**counts: int) -> Outlook:
    return Outlook(**(dict.fromkeys(("runnable", "processable", "held", "unfit", "waiting"), 0) | counts))


def test_launcher_that_has_done_all_says_no_more_than_that() -> None:
    assert len(Tally(finished=3, outlook=outlook()).closing_lines()) == 1


def test_launcher_that_found_nothing_says_so() -> None:
    assert "There is no unfinished job" in Tally(outlook=outlook()).closing_lines()[1]


def test_workflow_that_matches_nothing_is_named() -> None:
    [_, line] = Tally(workflow="swep", outlook=outlook()).closing_lines()
    assert "'swep'" in line and "balsam ls wf" in line


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"processable": 7}, "7 jobs wait for a hook or staging"),
        ({"waiting": 7}, "7 jobs wait for their parents"),
        ({"waiting": 1}, "1 job waits for its parents"),
        ({"held": 2}, "2 jobs are in the hands of other launchers"),
        ({"unfit": 2, "too_large": 2, "most_nodes": 9}, "2 jobs need more nodes than there are here, up to"),
        ({"unfit": 1, "too_large": 1, "most_nodes": 9}, "1 job needs more nodes than there are here: 9"),
        ({"unfit": 1, "too_parallel": 1}, "1 job has several ranks: for --job-mode mpi"),
        ({"unfit": 3, "too_long": 3}, "3 jobs may run longer than the time that was left"),
        ({"unfit": 3}, "3 jobs cannot be placed here: It needs a GPU"),
    ],
)
def test_jobs_that_are_left_are_counted_by_what_keeps_them(counts: dict[str, int], told: str) -> None:
    [_, line] = Tally(outlook=outlook(**counts), unplaceable="It needs a GPU").closing_lines()
    assert line.startswith(told)


def test_every_reason_has_a_line() -> None:
    left = outlook(unfit=10, too_large=4, too_parallel=3, too_long=2, waiting=1, processable=1, held=1)
    assert len(Tally(outlook=left).closing_lines()) == 8


def test_launcher_that_was_stopped_says_by_what_and_what_that_ended() -> None:
    [_, line] = Tally(finished=1, stopped="The launcher was stopped by SIGINT", cut_short=2).closing_lines()
    assert line.startswith("The launcher was stopped by SIGINT: 2 running jobs cut short; the next")
    [_, line] = Tally(stopped="The launcher ran out of time", cut_short=1).closing_lines()
    assert line.startswith("The launcher ran out of time: 1 running job cut short; the next")


def test_launcher_whose_only_job_was_killed_says_so() -> None:
    [_, line] = Tally(taken_away=1, outlook=outlook()).closing_lines()
    assert line == "1 job ended early: killed, deleted or reset by somebody"


def test_jobs_that_others_finish_are_not_passed_over() -> None:
    tally = Tally(outlook=outlook())
    tally.add(ReportReply(applied=3, run=3))
    tally.add_steps(ReportReply(applied=1, finished=1))
    [first, line] = tally.closing_lines()
    assert first.startswith("1 job finished, 0 failed")
    assert line.startswith("2 jobs ran and go on without this launcher")
    tally.add_steps(ReportReply(applied=5, finished=5))
    assert len(tally.closing_lines()) == 1


def test_live_line_tells_of_hooks_under_way() -> None:
    tally = Tally(running=1, count_steps=lambda: 2)
    assert tally.line() == "1 running, 2 in hooks or staging, 0 finished, 0 failed"


def test_live_line_tells_what_an_idle_launcher_waits_for() -> None:
    tally = Tally(finished=5, outlook=outlook(held=2, waiting=1))
    assert tally.line() == "0 running, 5 finished, 0 failed; 2 jobs are in the hands of other launchers"
    tally.running = 1
    assert tally.line() == "1 running, 5 finished, 0 failed"


def test_live_line_of_an_idle_launcher_that_stays_says_so() -> None:
    assert Tally(outlook=outlook()).line() == "0 running, 0 finished, 0 failed; waiting for jobs"


def test_live_line_tells_of_the_wait_for_jobs_that_are_told_to_end() -> None:
    tally = Tally(running=2)
    assert tally.line() == "2 running, 0 finished, 0 failed"
    tally.stopped = "The launcher was stopped by SIGINT"
    assert "2 jobs still run" in tally.line()
    tally.running = 1
    assert "1 job still runs" in tally.line()

"""The launcher's bookkeeping."""

import pytest

from balsam.launcher.ledger import Ending, Ledger
from balsam.schemas.jobs import JobSpec
from balsam.states import JobState as S


def spec(job_id: str = "a", attempt: int = 1) -> JobSpec:
    return JobSpec(job_id=job_id, name=job_id, attempt=attempt, command="true", workdir="/nowhere")


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.assign([spec("a"), spec("b")], worker=0)
    return ledger


def states(ledger: Ledger, now: float = 0.0) -> dict[str, list[S]]:
    return {r.job_id: [step.state for step in r.steps] for r in ledger.take_reports(now)}


def test_start_and_end_between_two_reports_come_in_one(ledger: Ledger) -> None:
    ledger.start("a", 1, when=1.0)
    ledger.end(Ending("a", 1, 0), when=3.0)
    [report] = ledger.take_reports(now=4.0)
    assert [(s.state, s.age_sec) for s in report.steps] == [(S.RUNNING, 3.0), (S.RUN_DONE, 1.0)]
    assert report.return_code == 0


def test_end_after_a_reported_start_is_reported_alone(ledger: Ledger) -> None:
    ledger.start("a", 1, when=1.0)
    assert states(ledger) == {"a": [S.RUNNING]}
    ledger.end(Ending("a", 1, 0), when=2.0)
    assert states(ledger) == {"a": [S.RUN_DONE]}


def test_error_tells_code_and_tail(ledger: Ledger) -> None:
    ledger.start("a", 1, when=0.0)
    ledger.end(Ending("a", 1, 3, "last words"), when=0.0)
    [report] = ledger.take_reports(0.0)
    assert report.steps[-1].state is S.RUN_ERROR
    assert report.steps[-1].message == "exit code 3\nlast words"


def test_death_by_signal_is_told_by_its_number(ledger: Ledger) -> None:
    ledger.start("a", 1, when=0.0)
    ledger.end(Ending("a", 1, -9), when=0.0)
    assert ledger.take_reports(0.0)[0].steps[-1].message == "killed by signal 9"


def test_job_ended_by_a_stopping_launcher_has_timed_out(ledger: Ledger) -> None:
    ledger.start("a", 1, when=0.0)
    ledger.end(Ending("a", 1, -15), when=0.0, stopped="out of time")
    assert ledger.take_reports(0.0)[0].steps[-1].state is S.RUN_TIMEOUT


def test_job_that_succeeds_while_the_launcher_stops_is_done(ledger: Ledger) -> None:
    ledger.start("a", 1, when=0.0)
    ledger.end(Ending("a", 1, 0), when=0.0, stopped="out of time")
    assert states(ledger) == {"a": [S.RUNNING, S.RUN_DONE]}


def test_job_that_could_not_start_fails_with_the_reason(ledger: Ledger) -> None:
    ledger.end(Ending("a", 1, None, "no such file: /x"), when=0.0)
    [report] = ledger.take_reports(0.0)
    assert [(s.state, s.message) for s in report.steps] == [(S.FAILED, "no such file: /x")]


def test_returned_job_is_given_back_without_steps(ledger: Ledger) -> None:
    ledger.give_back("a", 1, "", is_hopeless=False)
    [report] = ledger.take_reports(0.0)
    assert report.steps == () and not ledger.unplaceable


def test_hopeless_job_is_remembered_with_its_reason(ledger: Ledger) -> None:
    ledger.give_back("a", 1, "needs 4 GPUs, the node has 2", is_hopeless=True)
    assert ledger.unplaceable == {"a": "needs 4 GPUs, the node has 2"}
    assert ledger.take_reports(0.0)[0].message == "needs 4 GPUs, the node has 2"


def test_jobs_of_a_dead_worker_go_back_and_started_ones_are_to_restart(ledger: Ledger) -> None:
    ledger.start("a", 1, when=0.0)
    ledger.lose_worker(0, "worker died", when=1.0)
    assert states(ledger) == {"a": [S.RUNNING, S.RESTART_READY], "b": []}
    assert not ledger.held and ledger.queued(0) == 0 and ledger.running == 0


def test_end_of_a_job_that_was_taken_away_is_not_reported(ledger: Ledger) -> None:
    ledger.start("a", 1, when=0.0)
    ledger.take_reports(0.0)
    assert [job.spec.job_id for job in ledger.lose(["a"])] == ["a"]
    ledger.end(Ending("a", 1, -15), when=1.0)
    assert ledger.owes == 0 and "a" not in ledger.held


def test_losing_a_job_drops_what_is_owed_for_it(ledger: Ledger) -> None:
    ledger.start("a", 1, when=0.0)
    ledger.lose(["a"])
    assert ledger.owes == 0


def test_counts_follow_every_way_out(ledger: Ledger) -> None:
    assert (ledger.queued(0), ledger.running) == (2, 0)
    ledger.start("a", 1, when=0.0)
    assert (ledger.queued(0), ledger.running) == (1, 1)
    ledger.end(Ending("a", 1, 0), when=0.0)
    ledger.give_back("b", 1, "", is_hopeless=False)
    assert (ledger.queued(0), ledger.running) == (0, 0)


def test_everything_held_or_owed_is_known(ledger: Ledger) -> None:
    ledger.start("a", 1, when=0.0)
    ledger.end(Ending("a", 1, 0), when=0.0)
    assert sorted(ledger.known_ids()) == ["a", "b"]


def test_take_reports_takes_no_more_than_asked() -> None:
    ledger = Ledger()
    ledger.assign([spec(str(i)) for i in range(5)], worker=0)
    for i in range(5):
        ledger.end(Ending(str(i), 1, None, "x"), when=0.0)
    assert len(ledger.take_reports(0.0, limit=3)) == 3
    assert ledger.owes == 2


def test_word_of_an_earlier_attempt_changes_nothing(ledger: Ledger) -> None:
    ledger.start("a", 1, when=0.0)
    ledger.lose(["a"])
    ledger.assign([spec("a", attempt=2)], worker=0)
    assert ledger.end(Ending("a", 1, -15), when=1.0) is None
    assert ledger.held["a"].spec.attempt == 2
    assert (ledger.queued(0), ledger.running, ledger.holds_for(0)) == (2, 0, 2)
    ledger.start("a", 2, when=2.0)
    ledger.end(Ending("a", 2, 0), when=3.0)
    assert states(ledger) == {"a": [S.RUNNING, S.RUN_DONE]}


def test_outcome_of_a_python_job_is_reported_with_its_end(ledger: Ledger) -> None:
    ledger.start("a", 1, when=0.0)
    ledger.keep_outcome("a", 2, ("of another attempt", ""))
    ledger.keep_outcome("a", 1, ("value", ""))
    [started] = ledger.take_reports(0.0)
    assert (started.value, started.exception) == (None, None)
    ledger.end(Ending("a", 1, 0), when=0.0)
    [report] = ledger.take_reports(0.0)
    assert (report.value, report.exception) == ("value", "")


def test_reports_with_large_outcomes_are_taken_in_parts() -> None:
    ledger = Ledger()
    names = [f"j{number}" for number in range(10)]
    ledger.assign([spec(name) for name in names], worker=0)
    for name in names:
        ledger.start(name, 1, when=0.0)
        ledger.keep_outcome(name, 1, ("x" * 400, ""))
        ledger.end(Ending(name, 1, 0), when=0.0)
    parts = []
    while ledger.owes:
        parts.append([report.job_id for report in ledger.take_reports(0.0, max_size=1000)])
    assert max(map(len, parts)) == 2 and [name for part in parts for name in part] == names
    assert len(parts) == 5

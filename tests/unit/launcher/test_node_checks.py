"""Nodes that are asked after a failure: who is asked, how often, and when one counts as dead."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from balsam.launcher.node_checks import NodeChecks
from balsam.launcher.process_start import ProcessStart
from balsam.launcher.runner import Ended, Runner


@dataclass
class FakeRunner:
    """Starts nothing; the test says what ends."""

    started: list[str] = field(default_factory=list)
    told_to_end: list[str] = field(default_factory=list)
    error: OSError | None = None

    def start(self, key: str, start: ProcessStart) -> None:
        if self.error:
            raise self.error
        self.started.append(key)

    def terminate(self, keys: list[str], grace_sec: float) -> None:
        self.told_to_end += keys


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def runner() -> FakeRunner:
    return FakeRunner()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def checks(runner: FakeRunner, clock: Clock) -> NodeChecks:
    def start_of(node: str) -> ProcessStart:
        return ProcessStart(argv=["ask", node], workdir="/", output="/dev/null")

    return NodeChecks(cast(Runner, runner), ["n2", "n3"], start_of, clock=clock)


def answer(checks: NodeChecks, node: str, code: int, **fields: Any) -> None:
    assert checks.note_end(Ended(f"node {node}", code, 0.0, **fields))


def test_only_the_nodes_of_the_job_are_asked_and_not_this_one(checks: NodeChecks, runner: FakeRunner):
    assert checks.begin(("n1", "n2"))
    assert runner.started == ["node n2"]
    assert not checks.begin(("n1",)), "this host needs no question"


def test_node_that_answers_is_not_asked_again_at_once(checks: NodeChecks, runner: FakeRunner, clock: Clock):
    checks.begin(("n2",))
    answer(checks, "n2", 0)
    assert not checks.is_waiting(("n2",)) and not checks.dead
    assert not checks.begin(("n2",))
    clock.now = 100.0
    assert checks.begin(("n2",))


def test_node_that_fails_twice_is_dead_and_not_asked_any_more(checks: NodeChecks, runner: FakeRunner):
    checks.begin(("n2",))
    answer(checks, "n2", 1)
    assert checks.is_waiting(("n2",)) and not checks.dead
    answer(checks, "n2", 1)
    assert checks.dead == {"n2"}
    assert checks.begin(("n2", "n3")), "a job that was there is lost, too"
    assert runner.started == ["node n2", "node n2", "node n3"]


def test_node_that_is_silent_is_asked_no_longer_than_its_time(
    checks: NodeChecks, runner: FakeRunner, clock: Clock
):
    checks.begin(("n2",))
    clock.now = checks.next_deadline
    checks.kill_due()
    assert runner.told_to_end == ["node n2"]
    answer(checks, "n2", -9, was_told=True)
    clock.now = checks.next_deadline
    checks.kill_due()
    answer(checks, "n2", -9, was_told=True)
    assert checks.dead == {"n2"}


def test_question_that_the_end_of_the_worker_cuts_short_says_nothing(checks: NodeChecks):
    checks.begin(("n2",))
    answer(checks, "n2", -15, was_told=True)
    assert not checks.is_waiting(("n2",)) and not checks.dead


def test_shortage_of_this_host_says_nothing_of_a_node(checks: NodeChecks, runner: FakeRunner):
    runner.error = OSError("no more processes")
    assert not checks.begin(("n2",))


def test_ends_of_jobs_are_none_of_its_business(checks: NodeChecks):
    assert not checks.note_end(Ended("3f6c", 1, 0.0))

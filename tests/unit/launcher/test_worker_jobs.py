"""The bookkeeping of a worker, with processes that are only pretended."""

import errno
import math
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from balsam.exceptions import JobStartError
from balsam.launcher.commands import JobCommands
from balsam.launcher.node_checks import NodeChecks
from balsam.launcher.placement import Allocation, Placement
from balsam.launcher.process_start import ProcessStart
from balsam.launcher.runner import Ended, Runner
from balsam.launcher.worker_events import Outbox
from balsam.launcher.worker_jobs import WorkerJobs, exit_code, where
from balsam.platform.nodes.node import Node
from balsam.schemas.jobs import JobSpec


@dataclass
class FakeRunner:
    """Starts nothing; the test says what ends."""

    starts: dict[str, ProcessStart] = field(default_factory=dict)
    told_to_end: list[str] = field(default_factory=list)
    ends: list[Ended] = field(default_factory=list)
    error: Exception | None = None
    next_deadline: float = math.inf

    def start(self, key: str, start: ProcessStart) -> None:
        if self.error is not None:
            raise self.error
        self.starts[key] = start

    def terminate(self, keys: set[str], grace_sec: float) -> None:
        self.told_to_end += [key for key in keys if key in self.starts]

    def terminate_all(self, grace_sec: float) -> None:
        self.terminate(set(self.starts), grace_sec)

    def end(self, key: str, code: int | None = 0) -> None:
        self.ends.append(Ended(key, code, 0.0))

    def reap(self) -> list[Ended]:
        ends, self.ends = self.ends, []
        for ended in ends:
            del self.starts[ended.key]
        return ends


class Desk:
    """Jobs of a worker with two CPUs, and what was told of them."""

    def __init__(self, mode: str = "serial", **allocation: Any) -> None:
        self.now = 100.0
        self.runner = FakeRunner()
        self.outbox = Outbox()
        self.jobs = WorkerJobs(
            Allocation([Node("here", (0, 1), memory_mb=100)], **allocation),
            JobCommands(mode),
            cast(Runner, self.runner),
            self.outbox,
            clock=lambda: self.now,
        )

    def accept(self, *job_ids: str, **more: Any) -> None:
        more = {"attempt": 1, "command": "true", "workdir": "/work", "node_packing_count": 2, **more}
        self.jobs.accept([JobSpec(job_id=job_id, name=job_id, **more) for job_id in job_ids])

    def told(self, kind: str) -> list[list[Any]]:
        """Take the events of one kind; those of the others are lost."""
        return [list(event) for message in self.outbox.take(self.now) for event in message[kind]]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_what_fits_starts_and_the_rest_waits(desk: Desk) -> None:
    desk.accept("a", "b", "c")
    assert desk.jobs.start_some(32) is False
    assert list(desk.runner.starts) == ["a", "b"]
    assert (desk.jobs.queued, desk.jobs.running, desk.jobs.is_starved) == (1, 2, False)
    desk.runner.end("a", 3)
    desk.jobs.reap()
    desk.jobs.start_some(32)
    assert list(desk.runner.starts) == ["b", "c"]
    assert desk.told("ended") == [["a", 1, 3, 100.0, ""]]
    desk.runner.end("b")
    desk.jobs.reap()
    assert desk.jobs.is_starved


def test_no_more_than_the_limit_start_at_a_time(desk: Desk) -> None:
    desk.accept("a", "b", "c")
    assert desk.jobs.start_some(1) is True
    assert list(desk.runner.starts) == ["a"]


def test_the_start_is_told_with_its_place_and_what_it_needs(desk: Desk) -> None:
    desk.accept("a", environ={"X": "1"}, cpu_affinity="depth", attempt=4)
    desk.jobs.start_some(32)
    start = desk.runner.starts["a"]
    assert (start.argv, start.workdir, start.output, start.attempt) == (["true"], "/work", "a.out", 4)
    assert start.environ == {"X": "1"} and len(start.cpu_ids) == 1
    assert desk.told("started") == [["a", 4, 0.0, "here"]]


def test_jobs_that_do_not_ask_for_cpus_are_not_bound(desk: Desk) -> None:
    desk.accept("a")
    desk.jobs.start_some(32)
    assert desk.runner.starts["a"].cpu_ids == ()


def test_a_bad_start_frees_the_place_and_ends_the_job_with_its_reason(desk: Desk) -> None:
    desk.runner.error = JobStartError("no such program")
    desk.accept("a", "b")
    desk.jobs.start_some(32)
    assert [event[:3] + event[4:] for event in desk.told("ended")] == [
        ["a", 1, None, "no such program"],
        ["b", 1, None, "no such program"],
    ]
    desk.runner.error = None
    desk.accept("c", "d")
    desk.jobs.start_some(32)
    assert list(desk.runner.starts) == ["c", "d"]


def test_a_bad_start_makes_room_for_the_next_at_once(desk: Desk) -> None:
    desk.runner.error = JobStartError("no such program")
    desk.accept("a", "b", "c", node_packing_count=1)
    assert desk.jobs.start_some(32) is True
    while desk.jobs.start_some(32):
        pass
    assert [event[0] for event in desk.told("ended")] == ["a", "b", "c"]


def test_a_start_that_the_machine_is_too_short_for_waits_for_an_end(desk: Desk) -> None:
    desk.accept("a")
    desk.jobs.start_some(32)
    desk.runner.error = OSError(errno.EAGAIN, "Resource temporarily unavailable")
    desk.accept("b")
    desk.jobs.start_some(32)
    assert desk.told("ended") == [] and desk.jobs.queued == 1
    assert desk.jobs.next_deadline == 101.0
    desk.runner.error = None
    assert desk.jobs.start_some(32) is False
    assert list(desk.runner.starts) == ["a"], "not before its time"
    desk.runner.end("a")
    desk.jobs.reap()
    desk.jobs.start_some(32)
    assert list(desk.runner.starts) == ["b"] and desk.jobs.next_deadline == math.inf


def test_a_shortage_that_no_job_can_end_fails_the_start(desk: Desk) -> None:
    desk.runner.error = OSError(errno.ENOMEM, "Cannot allocate memory")
    desk.accept("a")
    desk.jobs.start_some(32)
    assert "ulimit" in desk.told("ended")[0][4]


def test_a_postponed_job_goes_back_when_asked_and_leaves_its_place(desk: Desk) -> None:
    desk.accept("a")
    desk.jobs.start_some(32)
    desk.runner.error = OSError(errno.EAGAIN, "")
    desk.accept("b")
    desk.jobs.start_some(32)
    desk.jobs.give_back()
    assert desk.told("returned") == [["b", 1, ""]] and desk.jobs.queued == 0
    desk.runner.error = None
    desk.accept("c")
    desk.now += 2
    desk.jobs.start_some(32)
    assert list(desk.runner.starts) == ["a", "c"]


def test_killing_tells_the_running_to_end_and_returns_the_others(desk: Desk) -> None:
    desk.accept("a", "b", "c", "d")
    desk.jobs.start_some(32)
    desk.jobs.kill(["b", "d", "x"], 5)
    assert desk.runner.told_to_end == ["b"]
    assert desk.told("returned") == [["d", 1, ""]]
    assert (desk.jobs.queued, desk.jobs.running) == (1, 2)


def test_an_attempt_whose_predecessor_still_runs_waits_and_can_be_killed(desk: Desk) -> None:
    desk.accept("a")
    desk.jobs.start_some(32)
    desk.accept("a", attempt=2)
    desk.jobs.start_some(32)
    assert desk.runner.starts["a"].attempt == 1 and desk.jobs.queued == 1
    desk.jobs.kill(["a"], 5)
    assert desk.told("returned") == [["a", 2, ""]]
    desk.accept("a", attempt=3)
    desk.runner.end("a", -15)
    desk.jobs.reap()
    desk.jobs.start_some(32)
    assert desk.runner.starts["a"].attempt == 3


def test_stopping_returns_everything_queued_now_and_later(desk: Desk) -> None:
    desk.accept("a", "b", "c")
    desk.jobs.start_some(32)
    desk.accept("a", attempt=2)
    desk.jobs.stop(5)
    desk.accept("late")
    assert desk.told("returned") == [["c", 1, ""], ["a", 2, ""], ["late", 1, ""]]
    assert sorted(desk.runner.told_to_end) == ["a", "b"]
    desk.jobs.start_some(32)
    assert desk.jobs.queued == 0 and len(desk.runner.starts) == 2


def test_what_can_never_fit_goes_back_at_once_with_the_reason(desk: Desk) -> None:
    desk.accept("wide", num_nodes=3)
    desk.accept("big", memory_mb_per_node=1000)
    assert all(reason for _, _, reason in desk.told("returned"))


def test_what_becomes_too_long_goes_back_while_it_waits(desk: Desk) -> None:
    desk.jobs.set_time_left(150)
    desk.accept("a", "b", "long", wall_time_min=2)
    desk.jobs.start_some(32)
    desk.now += 60
    desk.runner.end("a")
    desk.jobs.reap()
    desk.jobs.start_some(32)
    assert list(desk.runner.starts) == ["b"]
    [[job_id, _, reason]] = desk.told("returned")
    assert job_id == "long" and reason


def test_unfit_jobs_start_where_that_is_wanted() -> None:
    desk = Desk(allow_unfit=True)
    desk.jobs.set_time_left(1)
    desk.accept("a", wall_time_min=60)
    desk.jobs.start_some(32)
    assert list(desk.runner.starts) == ["a"]


def test_resources_that_make_no_sense_fail_the_job_alone(desk: Desk) -> None:
    desk.accept("odd", threads_per_core=0)
    desk.accept("good")
    desk.jobs.start_some(32)
    assert "make no sense" in desk.told("ended")[0][4]
    assert list(desk.runner.starts) == ["good"]


def test_many_nodes_are_shown_in_short() -> None:
    place = Placement(tuple("abcdef"), ((),) * 6, ((),) * 6, 1)
    assert where(place) == "a,b,c,d and 2 more"
    assert where(Placement(("a",), ((),), ((),), 1)) == "a"


@pytest.mark.parametrize(
    ("by_mpi", "was_told", "code"), [(True, True, -15), (True, False, 0), (False, True, 0)]
)
def test_zero_of_an_mpi_launcher_that_was_told_to_end_is_no_success(
    by_mpi: bool, was_told: bool, code: int
) -> None:
    ended = Ended("1", 0, ended_at=1.0, was_told=was_told)
    assert exit_code(ended, by_mpi=by_mpi) == code


class Site(Desk):
    """A worker with two nodes, of which `there` can be asked whether it is alive."""

    def __init__(self) -> None:
        super().__init__("mpi")
        runner = cast(Runner, self.runner)
        ask = ProcessStart(argv=["ask"], workdir="/", output="/dev/null")
        self.jobs = WorkerJobs(
            Allocation([Node("here", (0, 1)), Node("there", (0, 1))]),
            JobCommands("mpi"),
            runner,
            self.outbox,
            checks=NodeChecks(runner, ["there"], lambda node: ask, clock=lambda: self.now),
            clock=lambda: self.now,
        )

    def run_two(self) -> None:
        self.accept("a", "b", node_packing_count=1)
        self.jobs.start_some(32)
        self.told("started")

    def end(self, key: str, code: int) -> list[dict[str, Any]]:
        """End a process, and return what is told then."""
        self.runner.end(key, code)
        self.jobs.reap()
        return list(self.outbox.take(self.now))


def test_failure_is_told_when_the_other_node_has_answered() -> None:
    site = Site()
    site.run_two()
    assert site.end("b", 7) == []
    assert (site.jobs.running, list(site.runner.starts)) == (2, ["a", "node there"])
    [message] = site.end("node there", 0)
    assert message["ended"][0][:3] == ["b", 1, 7]
    assert site.jobs.running == 1


def test_job_that_fails_with_its_node_is_lost_and_the_node_is_not_used_again() -> None:
    site = Site()
    site.run_two()
    site.accept("wide", num_nodes=2)
    site.end("b", 7)
    site.end("node there", 1)
    returned, lost = site.end("node there", 1)
    assert [event[0] for event in returned["returned"]] == ["wide"], "it cannot be placed here any more"
    assert [event[:2] for event in lost["jobs"]] == [("b", 1)]
    assert lost["nodes"] == [("there", "it does not answer any more")]
    site.end("a", 0)
    site.accept("c", "d", node_packing_count=1)
    site.jobs.start_some(32)
    assert list(site.runner.starts) == ["c"]


def test_failure_on_this_host_needs_no_question() -> None:
    site = Site()
    site.run_two()
    [message] = site.end("a", 7)
    assert message["ended"][0][2] == 7

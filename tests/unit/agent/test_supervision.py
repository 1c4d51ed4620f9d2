"""Loops go on whatever they raise, are woken, and end when told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from balsam.agent import supervision
from balsam.agent.health import Board
from balsam.agent.supervision import Supervisor
from balsam.exceptions import DatabaseUnreachable, LeaseLostError
from tests.waiting import wait_until


class Scripted:
    """A loop that does what it is told."""

    spacing_sec = 0.0

    def __init__(self, name: str, do: Callable[[int], float]) -> None:
        self.name = name
        self.count = 0
        self.is_closed = False
        self.is_interrupted = threading.Event()
        self._do = do

    def cycle(self) -> float:
        self.count += 1
        return self._do(self.count)

    def interrupt(self) -> None:
        self.is_interrupted.set()

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "_FIRST_PAUSE_SEC", 0.001)
    monkeypatch.setattr(supervision, "_LONGEST_PAUSE_SEC", 0.01)


@contextmanager
def supervised(board: Board, *loops: Scripted, lost: list[str] | None = None) -> Iterator[Supervisor]:
    supervisor = Supervisor(
        loops, board, on_lost=(lost if lost is not None else []).append, on_thread_end=lambda: None
    )
    supervisor.start()
    yield supervisor
    assert supervisor.stop(10) == []
    assert all(loop.is_closed for loop in loops)


def health(board: Board, name: str) -> dict[str, object]:
    return next((loop for loop in board.document()["loops"] if loop["name"] == name), {})


def fail(error: BaseException) -> float:
    raise error


def test_loop_that_raises_is_told_and_goes_on():
    errors = [ValueError("bad"), DatabaseUnreachable("away"), SystemExit(3), MemoryError()]
    loop = Scripted("a", lambda n: fail(errors[n - 1]) if n <= len(errors) else 60.0)
    board = Board()
    with supervised(board, loop):
        wait_until(lambda: health(board, "a").get("cycles") == 1)
    found = health(board, "a")
    assert (found["failures"], found["failures_in_a_row"], found["last_error"]) == (4, 0, "MemoryError: ")
    assert found["last_completed"]


def test_errors_of_balsam_are_told_in_their_own_words():
    board = Board()
    with supervised(board, Scripted("a", lambda n: fail(DatabaseUnreachable("It is away.")))):
        wait_until(lambda: health(board, "a").get("failures_in_a_row", 0) > 2)  # type: ignore[operator]
    assert health(board, "a")["last_error"] == "It is away."


def test_failure_of_one_loop_leaves_the_others_alone():
    board, bad, good = (
        Board(),
        Scripted("bad", lambda n: fail(OSError("no"))),
        Scripted("good", lambda n: 0.001),
    )
    with supervised(board, bad, good):
        wait_until(lambda: good.count > 20 and bad.count > 2)
    assert health(board, "good")["failures"] == 0


def test_loop_is_woken_before_its_time():
    loop = Scripted("a", lambda n: 3600.0)
    with supervised(Board(), loop) as supervisor:
        for count in range(1, 4):
            wait_until(lambda count=count: loop.count == count)  # type: ignore[misc]
            supervisor.wake("a")
        wait_until(lambda: loop.count == 4)


def test_waking_never_brings_cycles_closer_than_their_spacing():
    loop = Scripted("a", lambda n: 3600.0)
    loop.spacing_sec = 3600.0
    with supervised(Board(), loop) as supervisor:
        wait_until(lambda: loop.count == 1)
        supervisor.wake("a")
    assert loop.count == 1


def test_lost_lease_is_passed_on():
    lost: list[str] = []
    loop = Scripted("a", lambda n: fail(LeaseLostError("gone")) if n == 1 else 60.0)
    with supervised(Board(), loop, lost=lost):
        wait_until(lambda: loop.count == 2)
    assert lost == ["gone"]


def test_loop_that_waits_is_interrupted_at_the_end():
    loop = Scripted("a", lambda n: 0.0 * loop.is_interrupted.wait(60))
    with supervised(Board(), loop):
        wait_until(lambda: loop.count == 1)


def test_loop_that_does_not_end_is_named():
    let_go = threading.Event()
    loop = Scripted("stubborn", lambda n: 0.0 * let_go.wait(60))
    supervisor = Supervisor([loop], Board(), on_lost=print, on_thread_end=lambda: None)
    supervisor.start()
    wait_until(lambda: loop.count == 1)
    assert supervisor.stop(0.01) == ["stubborn"]
    let_go.set()
    assert supervisor.stop(10) == []


def test_news_are_told_at_once_and_routine_is_not():
    board, news = Board(), []
    board.on_news = lambda: news.append(1)
    board.completed("a")
    board.completed("a")
    assert len(news) == 1
    board.failed("a", "no")
    board.completed("a")
    assert len(news) == 3
    board.say(fact=[1])
    board.say(fact=[1])
    assert len(news) == 4
    assert board.document()["fact"] == [1]

"""Progress bars, for people who wait."""

import io

import pytest

from balsam.cli.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def look_at_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    return screen


def test_short_work_draws_nothing(monkeypatch: pytest.MonkeyPatch):
    terminal = look_at_terminal(monkeypatch)
    with progress_bar("Adding jobs", 2, clock=lambda: 0.0) as bar:
        bar.advance(2)
    assert not bar.is_drawn
    assert terminal.getvalue() == ""


def test_long_work_draws_a_bar(monkeypatch: pytest.MonkeyPatch):
    terminal = look_at_terminal(monkeypatch)
    times = iter([0.0, 0.5, 1.5])
    with progress_bar("Adding jobs", 2, clock=lambda: next(times)) as bar:
        bar.advance()
        bar.advance()
    assert bar.is_drawn
    assert "Adding jobs" in terminal.getvalue()


def test_nothing_is_drawn_without_a_terminal(capsys: pytest.CaptureFixture[str]):
    times = iter([0.0, 5.0])
    with progress_bar("Adding jobs", 1, clock=lambda: next(times, 9.0)) as bar:
        bar.advance()
    assert not bar.is_drawn
    assert capsys.readouterr().err == ""

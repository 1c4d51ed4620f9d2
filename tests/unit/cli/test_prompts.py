"""Questions, and what ends them."""

import io

import pytest

from balsam.cli.prompts import NoAnswerError, confirm


def answer_with(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


@pytest.mark.parametrize(("text", "answer"), [("y\n", True), ("YES\n", True), ("n\n", False), ("No", False)])
def test_yes_and_no_in_any_case(monkeypatch: pytest.MonkeyPatch, text: str, answer: bool):
    answer_with(monkeypatch, text)
    assert confirm("Go on?") is answer


def test_other_answers_ask_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    answer_with(monkeypatch, "maybe\n\ny\n")
    assert confirm("Go on?")
    assert capsys.readouterr().out == "Go on? [y/n]: " * 3


def test_end_of_input_is_no_answer_and_no_loop(monkeypatch: pytest.MonkeyPatch):
    answer_with(monkeypatch, "maybe\n")
    with pytest.raises(NoAnswerError, match="--yes") as caught:
        confirm("Go on?")
    assert caught.value.exit_code != 0


def test_closed_stdin_is_no_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(NoAnswerError):
        confirm("Go on?")


def test_yes_given_beforehand_asks_nothing(capsys: pytest.CaptureFixture[str]):
    assert confirm("Go on?", assume_yes=True)
    assert capsys.readouterr().out == ""

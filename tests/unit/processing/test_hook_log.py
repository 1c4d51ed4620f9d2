import os
from pathlib import Path

import pytest

from balsam.exceptions import StepError
from balsam.processing.hook_log import HookLog


def write(log: HookLog, text: str) -> None:
    os.write(log.fileno(), text.encode())


def test_it_begins_with_comments_of_one_line_each(tmp_path: Path):
    with HookLog(str(tmp_path), "preprocess.log", ["preprocess of [a\nb]", "handling"]) as log:
        write(log, "hello\n")
    assert (tmp_path / "preprocess.log").read_text() == "# preprocess of [a b]\n# handling\nhello\n"


def test_an_older_log_is_replaced(tmp_path: Path):
    (tmp_path / "x.log").write_text("old\n" * 100)
    with HookLog(str(tmp_path), "x.log", ["new"]):
        assert (tmp_path / "x.log").read_text() == "# new\n"


def test_a_link_to_a_parents_log_is_replaced_and_the_parents_log_kept(tmp_path: Path):
    (tmp_path / "parents.log").write_text("precious")
    (tmp_path / "x.log").symlink_to("parents.log")
    with HookLog(str(tmp_path), "x.log", ["mine"]):
        assert (tmp_path / "x.log").read_text() == "# mine\n"
    assert (tmp_path / "parents.log").read_text() == "precious"


def test_a_pipe_of_its_name_does_not_hold_it_up(tmp_path: Path):
    os.mkfifo(tmp_path / "x.log")
    with HookLog(str(tmp_path), "x.log", ["mine"]):
        assert (tmp_path / "x.log").read_text() == "# mine\n"


def test_a_directory_of_its_name_is_an_error(tmp_path: Path):
    (tmp_path / "x.log").mkdir()
    with pytest.raises(StepError, match=r"Cannot write the log .*x\.log: is a directory"):
        HookLog(str(tmp_path), "x.log", [])


def test_a_missing_directory_is_an_error(tmp_path: Path):
    with pytest.raises(StepError, match="no such file or directory"):
        HookLog(str(tmp_path / "gone"), "x.log", [])


def test_the_tail_is_the_last_lines_without_the_comments(tmp_path: Path):
    with HookLog(str(tmp_path), "x.log", ["comment"]) as log:
        assert log.tail(3) == ""
        write(log, "1\n2\n")
        assert log.tail(3) == "1\n2"
        write(log, "3\n4\n")
        assert log.tail(3) == "2\n3\n4"


def test_the_tail_of_an_endless_line_is_bounded_and_bytes_that_are_no_text_are_shown(tmp_path: Path):
    with HookLog(str(tmp_path), "x.log", []) as log:
        os.write(log.fileno(), b"\xff" + b"x" * 100_000)
        assert len(log.tail(3)) < 20_000
    with HookLog(str(tmp_path), "x.log", []) as log:
        os.write(log.fileno(), b"\xff\n")
        assert log.tail(3) == "\N{REPLACEMENT CHARACTER}"

import errno
from pathlib import Path

import pytest

from balsam.launcher.start_errors import (
    is_script,
    is_transient,
    not_executed,
    read_interpreter,
    short_of_resources,
    unusable_output,
    unusable_text,
    unusable_workdir,
)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY])
def test_shortages_may_pass(number: int) -> None:
    assert is_transient(OSError(number, ""))


def test_other_errors_do_not_pass() -> None:
    assert not is_transient(OSError(errno.ENOENT, "")) and not is_transient(ValueError())


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EDQUOT, "Free some space"),
        (errno.EACCES, "write access"),
        (errno.EROFS, "write access"),
        (errno.ENAMETOOLONG, "shorter names"),
        (errno.ENOTDIR, "in the way"),
    ],
)
def test_each_cause_has_its_advice(number: int, advice: str) -> None:
    assert advice in str(unusable_workdir("/w", OSError(number, "")))
    assert advice in str(unusable_output("/w", "a.out", OSError(number, "")))


def test_the_interpreter_is_the_first_word_of_the_first_line(tmp_path: Path) -> None:
    script = tmp_path / "script"
    for text, interpreter in (
        ("#! /bin/sh -e\n", "/bin/sh"),
        ("#!/x\r\n", "/x\r"),
        ("echo\n", ""),
        ("#!", ""),
    ):
        script.write_text(text)
        assert read_interpreter(str(script)) == interpreter
    assert read_interpreter(str(tmp_path / "absent")) == ""


def test_text_is_a_script_and_a_binary_is_not(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("echo\n")
    (tmp_path / "binary").write_bytes(b"\x7fELF\0")
    assert is_script(str(tmp_path / "text"))
    assert not is_script(str(tmp_path / "binary")) and not is_script(str(tmp_path / "absent"))


def test_a_path_without_access_on_the_way_says_so(tmp_path: Path) -> None:
    error = not_executed(f"{tmp_path}/absent/x", ["x"], OSError(errno.EACCES, ""))
    assert "may not be entered" in str(error)


def test_a_long_command_is_shown_in_part() -> None:
    text = str(unusable_text(["x" * 1000, "a\0"], {}, ValueError("embedded null byte")))
    assert len(text) < 500 and "NUL" in text


def test_a_shortage_says_what_to_look_at() -> None:
    assert "ulimit -a" in str(short_of_resources("job", OSError(errno.EAGAIN, "")))

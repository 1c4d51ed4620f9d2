"""The end of files, and what is appended to them."""

import os
from pathlib import Path

import pytest

from balsam.exceptions import UsageError
from balsam.lib import tailing
from balsam.lib.tailing import Tail


def everything(tail: Tail) -> bytes:
    found = b""
    while new := tail.read_new():
        found += new
    return found


@pytest.mark.parametrize(
    ("text", "lines", "shown"),
    [
        (b"", 2, b""),
        (b"a\n", 2, b"a\n"),
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc", 2, b"b\nc"),
        (b"\n\n\n", 2, b"\n\n"),
        (b"a\nb\n", 0, b""),
        (b"a\nb\n", None, b"a\nb\n"),
        (b"one line without end", 1, b"one line without end"),
    ],
)
@pytest.mark.parametrize("block", [1, 3, 1 << 20])
def test_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes, lines: int | None, shown: bytes, block: int
):
    monkeypatch.setattr(tailing, "BLOCK", block)
    path = tmp_path / "job.out"
    path.write_bytes(text)
    assert everything(Tail(path, lines)) == shown


def test_what_is_appended_is_read_also_of_a_file_that_appears_later_is_cut_or_replaced(tmp_path: Path):
    path = tmp_path / "job.out"
    tail = Tail(path, 1)
    assert tail.read_new() == b""
    path.write_bytes(b"a\nb\n")
    assert everything(tail) == b"b\n"
    with path.open("ab") as file:
        file.write(b"half a li")
        file.flush()
        assert everything(tail) == b"half a li"
        file.write(b"ne\n")
        path.rename(tmp_path / "job.out.1")
        path.write_bytes(b"new\n")
    assert everything(tail) == b"ne\nnew\n"
    path.write_bytes(b"x\n")
    assert everything(tail) == b"x\n"
    path.unlink()
    assert everything(tail) == b""
    tail.close()


def test_pipe_in_the_place_of_a_file_is_told_of_and_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "job.out")
    with pytest.raises(UsageError, match="no file"):
        Tail(tmp_path / "job.out").read_new()

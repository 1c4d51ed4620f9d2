import os
from pathlib import Path

from balsam.lib.file_end import last_lines, output_tail


def test_last_lines_are_returned(tmp_path: Path) -> None:
    path = tmp_path / "job.out"
    path.write_text("".join(f"line {number}\n" for number in range(100)))
    tail = output_tail(str(path))
    assert tail == "\n".join(f"line {number}" for number in range(100))
    assert last_lines(tail, 16) == "\n".join(f"line {number}" for number in range(84, 100))
    assert last_lines(tail, 0) == "" and last_lines("a", 5) == "a"


def test_long_lines_are_cut_at_four_kilobytes(tmp_path: Path) -> None:
    path = tmp_path / "job.out"
    path.write_bytes(b"a" * 10_000 + b"b" * 4096)
    assert output_tail(str(path)) == "b" * 4096


def test_output_that_is_no_text_is_shown_as_far_as_a_database_can_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "job.out"
    path.write_bytes(b"\xff\x00ok\n")
    assert output_tail(str(path)) == "��ok"


def test_what_is_no_regular_file_has_no_tail(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero", "absent", ".", "a\0b"):
        assert output_tail(f"{tmp_path}/{name}") == ""

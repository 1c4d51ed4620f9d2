import os
from pathlib import Path

from balsam.lib.directory_spread import spread_subdirectories


def test_a_directory_works_as_before(tmp_path: Path) -> None:
    (tmp_path / "before").mkdir()
    spread_subdirectories(tmp_path)
    spread_subdirectories(tmp_path)
    (tmp_path / "after").mkdir()
    (tmp_path / "after" / "file").write_text("x")
    assert sorted(os.listdir(tmp_path)) == ["after", "before"]


def test_what_cannot_be_marked_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (Path("/proc"), tmp_path / "absent", tmp_path / "file"):
        spread_subdirectories(path)

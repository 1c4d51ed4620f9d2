"""What the file cleaner deletes, and what it never does."""

from pathlib import Path

import pytest

from balsam.agent.file_cleaning import clean


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("run/a.tmp", "run/keep.txt", "run/sub/b.tmp", "run/.hidden.tmp", "other/c.tmp"):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "outside.tmp").write_text("x")
    return tmp_path / "data"


def left(data: Path) -> set[str]:
    return {str(path.relative_to(data)) for path in data.rglob("*") if path.is_file()}


def test_files_that_match_are_deleted(data: Path):
    clean(data, "run", ["*.tmp", "sub/*"])
    assert left(data) == {"run/keep.txt", "other/c.tmp"}


@pytest.mark.parametrize("pattern", ["../other/*", "/etc/*", "../../outside.tmp", "sub"])
def test_nothing_outside_and_no_directory_is_touched(data: Path, pattern: str):
    before = left(data)
    assert clean(data, "run", [pattern]) == []
    assert left(data) == before and (data.parent / "outside.tmp").exists()


@pytest.mark.parametrize("workdir", ["..", ".", "../data2"])
def test_workdir_outside_of_the_data_is_left(data: Path, workdir: str):
    assert clean(data, workdir, ["**/*"]) == []


def test_link_to_elsewhere_is_not_followed(data: Path):
    (data / "run/link").symlink_to(data / "other", target_is_directory=True)
    clean(data, "run", ["link/*"])
    assert "other/c.tmp" in left(data)

"""What the file cleaner deletes, and what it never does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from balsam.agent.file_cleaning import clean

#: Root may delete everywhere, unless that is taken from it.
_AS_ANYBODY = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-all"] if os.geteuid() == 0 else []


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


def test_a_link_to_a_directory_with_a_longer_name_is_not_followed(tmp_path: Path):
    for name in ("run1", "run10"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.tmp").write_text("")
    (tmp_path / "run1" / "other").symlink_to(tmp_path / "run10")
    assert clean(tmp_path, "run1", ["**/*.tmp", "other/*.tmp"]) == [tmp_path / "run1" / "a.tmp"]
    assert (tmp_path / "run10" / "a.tmp").exists()


def test_a_file_that_cannot_be_deleted_is_left_and_told_of(tmp_path: Path):
    (tmp_path / "run" / "locked").mkdir(parents=True)
    for name in ("locked/a.tmp", "b.tmp"):
        (tmp_path / "run" / name).write_text("")
    (tmp_path / "run" / "locked").chmod(0o500)
    code = (
        "import sys; from pathlib import Path; from balsam.agent.file_cleaning import clean;"
        "print(*clean(Path(sys.argv[1]), 'run', ['**/*.tmp']))"
    )
    words = [*_AS_ANYBODY, sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"{tmp_path}/run/b.tmp"]
    assert "Cannot clean up" in done.stderr and "locked/a.tmp" in done.stderr

"""Archives: what is in them is what was in the directories, and nothing is there where that went wrong."""

import os
from pathlib import Path

import pytest

from balsam.exceptions import ConflictError
from balsam.lib import archives


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "top" / "a" / "deep").mkdir(parents=True)
    (tmp_path / "top" / "a" / "deep" / "x").write_text("x")
    return tmp_path / "top"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a.tar.gz"


def test_names_that_are_no_text_are_packed(top: Path, target: Path):
    names = [b"\xff\xfe", b"-rf", b"a\nb", b" ", b"x" * 200]
    for name in names:
        (top / "a" / os.fsdecode(name)).write_bytes(name)
    archives.pack(top, ["a"], target, "{}")
    index = archives.index_of(target)
    assert {"a/" + os.fsdecode(name) for name in names} < set(index)
    assert archives.differences(top, "a", index) == []


def test_what_changes_while_it_is_packed_leaves_no_archive(top: Path, target: Path, monkeypatch):
    index_of = archives.index_of

    def changing(path: Path) -> object:
        (top / "a" / "deep" / "x").write_text("y")
        return index_of(path)

    monkeypatch.setattr(archives, "index_of", changing)
    with pytest.raises(ConflictError, match="deep/x changed while it was packed"):
        archives.pack(top, ["a"], target, "{}")
    assert os.listdir(target.parent) == ["top"]


def test_a_link_on_the_way_is_not_followed(top: Path, target: Path, tmp_path: Path):
    (tmp_path / "other" / "b").mkdir(parents=True)
    (top / "way").symlink_to(tmp_path / "other")
    with pytest.raises(OSError):
        archives.pack(top, ["way/b"], target, "{}")
    with pytest.raises(OSError):
        archives.remove(top, "way/b")
    assert (tmp_path / "other" / "b").is_dir() and not target.exists()


@pytest.mark.parametrize("name", ["../x", "/etc", "a/../../x"])
def test_nothing_outside_is_read_or_removed(name: str, top: Path, target: Path):
    with pytest.raises(ValueError):
        archives.pack(top, [name], target, "{}")
    with pytest.raises(ValueError):
        archives.remove(top, name)


def test_what_lies_in_the_archive_differently_is_named(top: Path, target: Path):
    archives.pack(top, ["a"], target, "{}")
    index = archives.index_of(target)
    (top / "a" / "new").touch()
    (top / "a" / "deep" / "x").unlink()
    (top / "a" / "deep" / "x").symlink_to("/etc")
    assert sorted(archives.differences(top, "a", index)) == ["a/deep/x", "a/new"]

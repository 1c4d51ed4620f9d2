import os
import stat
from pathlib import Path

import pytest

from balsam.lib.atomic import write_atomically


def test_text_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "server-info"
    path.write_text("a much longer old text")
    write_atomically(path, "née")
    assert path.read_bytes() == "née".encode()


def test_file_is_private_by_default_whatever_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        write_atomically(tmp_path / "secret", "x")
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_mode_is_exact_also_under_a_strict_umask(tmp_path: Path) -> None:
    previous = os.umask(0o077)
    try:
        write_atomically(tmp_path / "shared", "x", mode=0o644)
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o644


def test_file_behind_a_link_is_replaced_and_the_link_kept(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    link = tmp_path / "link"
    link.symlink_to(target / "file")
    write_atomically(link, "new")
    assert link.is_symlink()
    assert (target / "file").read_text() == "new"


def test_failed_write_keeps_the_old_file_and_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_text_that_is_not_unicode_is_refused_without_a_trace(tmp_path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "file", "\udc80")
    assert os.listdir(tmp_path) == []

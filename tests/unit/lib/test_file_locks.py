import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from balsam.lib import file_locks
from balsam.lib.file_locks import file_lock


def test_lock_excludes_others_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with file_lock(path, 1.0):
        with pytest.raises(TimeoutError):
            with file_lock(path, 0.0):
                pass
    with file_lock(path, 0.0):
        pass


def test_lock_file_is_private(tmp_path: Path) -> None:
    with file_lock(tmp_path / "lock", 1.0):
        assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600


def test_error_of_the_holder_releases_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"):
        with file_lock(tmp_path / "lock", 0.0):
            raise ValueError("mine")
    with file_lock(tmp_path / "lock", 0.0):
        pass


def test_programs_started_by_the_holder_do_not_keep_the_lock(tmp_path: Path) -> None:
    with file_lock(tmp_path / "lock", 0.0):
        held = [int(name) for name in os.listdir("/dev/fd") if is_open_on(int(name), tmp_path / "lock")]
        assert held and not any(os.get_inheritable(descriptor) for descriptor in held)


def is_open_on(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def test_file_system_without_locks_is_stood_in_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = tmp_path / "stand-in"
    real = fcntl.flock

    def flock(descriptor: int, operation: int) -> None:
        if is_open_on(descriptor, tmp_path / "lock"):
            raise OSError(errno.ENOSYS, "Function not implemented")
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(file_locks, "_local_stand_in", lambda path: stand_in)
    with file_lock(tmp_path / "lock", 0.0):
        with pytest.raises(TimeoutError):
            with file_lock(tmp_path / "lock", 0.0):
                pass


def test_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError):
        with file_lock(tmp_path / "lock", 0.0):
            pass
    assert not (tmp_path / "victim").exists()

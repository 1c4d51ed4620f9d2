import os
import stat
from pathlib import Path

import pytest

from balsam.exceptions import ConfigError
from balsam.remote import control_dir
from balsam.remote.control_dir import control_path


def test_socket_is_in_a_directory_of_the_user_alone():
    path = control_path(Path("/home/me/.balsam/remotes/theta"), "login")
    found = path.parent.lstat()
    assert stat.S_IMODE(found.st_mode) == 0o700
    assert found.st_uid == os.geteuid()
    assert len(os.fsencode(path)) + 17 <= 107


def test_each_connection_of_each_remote_has_a_socket_of_its_own():
    names = {control_path(Path(f"/x/{name}"), which) for name in ("a", "b") for which in ("login", "hop")}
    assert len(names) == 4
    assert control_path(Path("/x/a"), "hop") in names


def test_directory_that_somebody_else_has_made_is_not_used(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "open").mkdir(mode=0o755)
    assert not control_dir._is_mine_alone(tmp_path / "link")
    assert control_dir._is_mine_alone(tmp_path / "open")
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o700


def test_without_a_private_directory_there_is_no_connection(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(control_dir, "_is_mine_alone", lambda path: False)
    with pytest.raises(ConfigError, match="BALSAM_HOME"):
        control_path(Path("/x"), "login")

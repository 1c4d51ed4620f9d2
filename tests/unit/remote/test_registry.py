import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from balsam.exceptions import ConfigError, ConflictError, NotFoundError, UsageError
from balsam.remote import registry
from balsam.remote.destination import Destination
from balsam.remote.registry import Remote

THETA = Remote("theta", Destination("theta", "/db", "me", 2222), "/bin/ask", 4000, 7.5)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("BALSAM_HOME", str(tmp_path / "home"))
    yield tmp_path / "home"


def test_remote_is_kept_in_a_directory_that_nobody_else_can_enter(home: Path):
    registry.save(THETA)
    assert registry.load("theta") == THETA
    assert registry.names() == ["theta"]
    assert THETA.directory == home / "remotes/theta"
    assert stat.S_IMODE(THETA.directory.stat().st_mode) == 0o700


def test_remote_that_is_forgotten_is_gone(home: Path):
    registry.save(THETA)
    registry.forget("theta")
    registry.forget("theta")
    assert list((home / "remotes").iterdir()) == []
    with pytest.raises(NotFoundError, match="balsam remote add theta"):
        registry.load("theta")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "-x", "a b", "a\n", "x" * 65, ".hidden"])
def test_name_that_is_no_name_is_refused_everywhere(name: str):
    for work in (registry.load, registry.check_is_new, registry.forget):
        with pytest.raises(UsageError, match="cannot be the name"):
            work(name)


def test_name_that_is_taken_is_a_conflict():
    registry.save(THETA)
    with pytest.raises(ConflictError, match="balsam remote rm theta"):
        registry.check_is_new("theta")
    registry.check_is_new("theta2")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", json.dumps({"destination": "-x:/db", "answer_with": "", "local_port": 0})]
)
def test_damaged_file_is_told_with_the_way_out(text: str):
    registry.save(THETA)
    (THETA.directory / "remote.json").write_text(text)
    with pytest.raises(ConfigError, match="balsam remote rm theta"):
        registry.load("theta")

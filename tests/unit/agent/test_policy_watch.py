"""The policy of a running service: edits are noticed, and a wrong one changes nothing."""

from pathlib import Path

import pytest

from balsam.agent.health import Board
from balsam.agent.policy_watch import PolicyWatch
from balsam.exceptions import ConfigError
from tests.services import policy_section


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BALSAM_HOME", str(tmp_path))
    path = tmp_path / "theta_policy.ini"
    path.write_text(policy_section("a"))
    return path


def names(watch: PolicyWatch) -> list[str]:
    return [queue.name for queue in watch.policy.queues]


def test_edit_is_noticed_and_told_once(path: Path):
    watch, changes = PolicyWatch(Board()), []
    watch.on_change = lambda: changes.append(1)
    watch.cycle()
    assert (names(watch), changes) == (["a"], [])
    path.write_text(policy_section("a") + policy_section("b"))
    watch.cycle()
    watch.cycle()
    assert (names(watch), changes) == (["a", "b"], [1])


def test_wrong_edit_leaves_the_good_policy_in_force_and_is_told(path: Path):
    board = Board()
    watch = PolicyWatch(board)
    path.write_text("[a]\nsubmit-jobs = perhaps\n")
    watch.cycle()
    watch.cycle()
    assert names(watch) == ["a"]
    assert f"{path}, line 1" in board.document()["policy_problem"]
    path.write_text(policy_section("b"))
    watch.cycle()
    assert (names(watch), board.document()["policy_problem"]) == (["b"], "")


def test_file_that_cannot_be_read_changes_nothing(path: Path):
    board = Board()
    watch = PolicyWatch(board)
    path.unlink()
    path.mkdir()
    watch.cycle()
    assert names(watch) == ["a"]
    assert "Cannot read" in board.document()["policy_problem"]


def test_file_that_is_moved_away_is_made_anew(path: Path):
    watch = PolicyWatch(Board())
    path.unlink()
    watch.cycle()
    assert names(watch) == ["debug-flat-quad", "default"]


def test_service_does_not_start_with_a_wrong_policy(path: Path):
    path.write_text("[a]\n")
    with pytest.raises(ConfigError, match="line 1"):
        PolicyWatch(Board())

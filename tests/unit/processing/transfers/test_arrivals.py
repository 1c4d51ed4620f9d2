"""What is made of the lines that rsync prints: files that are whole, and how much has come."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from balsam.platform.transfer import Move, rsync
from balsam.processing.transfers.arrivals import Arrivals, Following


@dataclass
class Desk:
    """Notes what it is told."""

    scratch: str
    arrivals: list[tuple[int, str]] = field(default_factory=list)
    counts: list[tuple[int, int, int]] = field(default_factory=list)

    def arrived(self, move: Move, paths: list[str], how: str = "move") -> None:
        self.arrivals.append((move.item_id, how))

    def progress(self, move: Move, size_bytes: int, total_bytes: int = 0) -> None:
        self.counts.append((move.item_id, size_bytes, total_bytes))


def listing(*paths: str) -> rsync.Listing:
    return rsync.Listing([Move(item_id=number, remote=path) for number, path in enumerate(paths)])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "far").mkdir()
    return Desk(str(tmp_path))


def test_a_file_is_handed_on_when_the_next_is_begun(desk: Desk, tmp_path: Path):
    arrivals = Arrivals(listing("/far/0", "/far/1", "/far/2"), desk)
    arrivals.line(">10 0")
    assert desk.arrivals == []
    (tmp_path / "far" / "0").write_text("0")
    arrivals.line(">10 1")
    assert desk.arrivals == [(0, "move")]
    arrivals.line(">10 2")
    assert desk.arrivals == [(0, "move")], "1 has not come yet"
    (tmp_path / "far" / "1").write_text("1")
    arrivals.line(">10 other")
    assert desk.arrivals == [(0, "move"), (1, "move")]
    assert arrivals.placed == {0, 1}, "what comes last is seen at the end of the run"


def test_what_was_there_before_and_links_wait_for_the_end(desk: Desk, tmp_path: Path):
    (tmp_path / "far" / "old").write_text("of an earlier try")
    arrivals = Arrivals(listing("/far/old", "/far/link"), desk)
    arrivals.line(">10 old")
    arrivals.line(">4 link")
    (tmp_path / "far" / "link").symlink_to("old")
    arrivals.line(">10 next")
    assert desk.arrivals == []


def test_a_file_for_several_jobs_is_moved_to_the_last(desk: Desk, tmp_path: Path):
    arrivals = Arrivals(listing("/far/same", "/far/same"), desk)
    arrivals.line(">10 same")
    (tmp_path / "far" / "same").write_text("same")
    arrivals.line(">10 next")
    assert desk.arrivals == [(0, "copy"), (1, "move")]


def test_a_tree_is_counted_and_waits_for_the_end(desk: Desk, tmp_path: Path):
    arrivals = Arrivals(rsync.Listing([Move(item_id=1, remote="/far/tree", recursive=True)]), desk)
    for line in (">60 far/tree/", ">100 far/tree/a", ">50 far/tree/deep/b"):
        arrivals.line(line)
    assert desk.counts[-1] == (1, 160, 0)
    assert desk.arrivals == []


def test_how_much_of_a_file_has_come_is_read_off_its_temporary_name(desk: Desk, tmp_path: Path):
    arrivals = Arrivals(listing("/far/big"), desk)
    arrivals.look()
    arrivals.line(">100 big")
    (tmp_path / "far" / ".big.Xy12Zz").write_bytes(b"x" * 40)
    arrivals.look()
    assert desk.counts == [(0, 0, 100), (0, 40, 100)]


def test_how_much_has_gone_is_read_off_the_lines(desk: Desk):
    move = Move(item_id=1, remote="/far", local=("/a", "/b"), is_directory=True)
    following = Following({"far/a": move, "far/b": move}, {1: 300}, desk)
    for line in (">100 far/a", "        100 100%   97.66kB/s    0:00:00 (xfr#1, to-chk=1/2)", ">200 far/b"):
        following.line(line)
    following.line("         50  25%    1.00kB/s    0:00:01  ")
    assert desk.counts == [(1, 0, 300), (1, 100, 300), (1, 100, 300), (1, 150, 300)]

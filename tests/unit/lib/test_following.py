"""Following files that grow, appear, are cut and go away."""

from pathlib import Path

from balsam.lib.following import Follower, follow, headed


def names_and_lines(follower: Follower) -> list[tuple[str, list[str]]]:
    return [(path.name, lines) for path, lines in follower.read_new()]


def test_first_look_shows_the_last_lines(tmp_path: Path):
    (tmp_path / "a.log").write_text("".join(f"line {i}\n" for i in range(20)))
    follower = Follower(tmp_path, "*.log", last_lines=2)
    assert names_and_lines(follower) == [("a.log", ["line 18", "line 19"])]
    assert names_and_lines(follower) == []


def test_appended_lines_are_shown_when_they_are_whole(tmp_path: Path):
    log = tmp_path / "a.log"
    log.write_text("")
    follower = Follower(tmp_path, "*.log")
    assert names_and_lines(follower) == []
    with log.open("a") as file:
        file.write("first\nsec")
        file.flush()
        assert names_and_lines(follower) == [("a.log", ["first"])]
        file.write("ond\n")
        file.flush()
    assert names_and_lines(follower) == [("a.log", ["second"])]


def test_new_file_is_read_from_its_start(tmp_path: Path):
    follower = Follower(tmp_path, "*.log", last_lines=1)
    assert names_and_lines(follower) == []
    (tmp_path / "b.log").write_text("one\ntwo\n")
    assert names_and_lines(follower) == [("b.log", ["one", "two"])]


def test_cut_and_replaced_files_start_anew(tmp_path: Path):
    log = tmp_path / "a.log"
    log.write_text("a long first line\n")
    follower = Follower(tmp_path, "*.log")
    follower.read_new()
    log.write_text("cut\n")
    assert names_and_lines(follower) == [("a.log", ["cut"])]
    (tmp_path / "next").write_text("replaced, and longer than before\n")
    (tmp_path / "next").rename(log)
    assert names_and_lines(follower) == [("a.log", ["replaced, and longer than before"])]


def test_removed_file_and_missing_directory_are_nothing(tmp_path: Path):
    log = tmp_path / "logs" / "a.log"
    follower = Follower(log.parent, "*.log")
    assert names_and_lines(follower) == []
    log.parent.mkdir()
    log.write_text("x\n")
    assert names_and_lines(follower) == [("a.log", ["x"])]
    log.unlink()
    assert names_and_lines(follower) == []


def test_other_files_and_bad_bytes_do_no_harm(tmp_path: Path):
    (tmp_path / "a.txt").write_text("no\n")
    (tmp_path / "a.log").write_bytes(b"\xff\xfe yes\n")
    [(name, [line])] = names_and_lines(Follower(tmp_path, "*.log"))
    assert name == "a.log"
    assert line.endswith(" yes")


def test_file_is_named_where_another_goes_on(tmp_path: Path):
    a, b = tmp_path / "a.log", tmp_path / "b.log"
    a.write_text("a1\n")
    b.write_text("b1\n")
    lines = follow(Follower(tmp_path, "*.log"), sleep=lambda seconds: append(a, "a2\n"))
    found = [next(lines) for _ in range(6)]
    assert found == [f"==> {a} <==", "a1", f"==> {b} <==", "b1", f"==> {a} <==", "a2"]


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_headed_names_each_file(tmp_path: Path):
    assert list(headed([(tmp_path, ["x", "y"])])) == [f"==> {tmp_path} <==", "x", "y"]

from pathlib import Path

import pytest

from balsam.exceptions import JobStartError
from balsam.launcher.executables import ExecutableFinder


def program(directory: Path, name: str = "tool") -> str:
    directory.mkdir(exist_ok=True)
    (directory / name).write_text("")
    (directory / name).chmod(0o755)
    return str(directory / name)


def test_the_first_executable_on_the_path_is_found(tmp_path: Path) -> None:
    first, second = program(tmp_path / "a"), program(tmp_path / "b")
    (tmp_path / "empty").mkdir()
    path = f"{tmp_path}/absent:{tmp_path}/empty:{tmp_path}/a:{tmp_path}/b".encode()
    finder = ExecutableFinder()
    assert finder.find("tool", path) == first
    Path(first).unlink()
    assert finder.find("tool", path) == first
    finder.forget()
    assert finder.find("tool", path) == second


def test_what_is_not_executable_is_passed_over_and_named(tmp_path: Path) -> None:
    first, second = Path(program(tmp_path / "a")), program(tmp_path / "b")
    first.chmod(0o644)
    assert ExecutableFinder().find("tool", f"{tmp_path}/a:{tmp_path}/b".encode()) == second
    with pytest.raises(JobStartError, match=f"{first} is not executable"):
        ExecutableFinder().find("tool", f"{tmp_path}/a".encode())


def test_a_directory_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "tool").mkdir()
    with pytest.raises(JobStartError, match="no such program on PATH"):
        ExecutableFinder().find("tool", str(tmp_path).encode())


def test_an_empty_entry_is_the_current_directory_and_never_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "a")
    monkeypatch.chdir(tmp_path / "a")
    finder = ExecutableFinder()
    assert finder.find("tool", b"/nowhere:") == "./tool"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(JobStartError):
        finder.find("tool", b"/nowhere:")


def test_a_name_with_a_slash_is_not_looked_up() -> None:
    assert ExecutableFinder().find("./absent", b"/bin") == "./absent"


def test_without_a_path_the_system_default_is_searched() -> None:
    assert ExecutableFinder().find("sh", None) in ("/bin/sh", "/usr/bin/sh")

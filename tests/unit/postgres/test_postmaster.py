import os
from pathlib import Path

import psutil
import pytest

from balsam.postgres.postmaster import PidFile, is_postmaster, read_pid_file, running_postmaster


def write(data_dir: Path, *lines: str) -> None:
    (data_dir / "postmaster.pid").write_text("\n".join(lines) + "\n")


def test_ready_server_says_where_it_is(tmp_path: Path) -> None:
    write(tmp_path, "4711", "/db", "1790000000", "20123", "/db/.socket", "127.0.0.1", "  123  4", "ready   ")
    assert read_pid_file(tmp_path) == PidFile(4711, 20123, "/db/.socket", "ready")


def test_server_that_has_just_begun_has_no_port_yet(tmp_path: Path) -> None:
    write(tmp_path, "4711", "/db")
    assert read_pid_file(tmp_path) == PidFile(4711, 0, "", "")


def test_single_user_server_has_a_negative_number(tmp_path: Path) -> None:
    write(tmp_path, "-4711", "/db", "1790000000")
    found = read_pid_file(tmp_path)
    assert found is not None and found.pid == 4711


@pytest.mark.parametrize("text", ["", "\n", "nonsense\n", "\x00\x00"])
def test_torn_pid_file_is_no_server(tmp_path: Path, text: str) -> None:
    (tmp_path / "postmaster.pid").write_text(text)
    assert read_pid_file(tmp_path) is None
    assert running_postmaster(tmp_path) is None


def test_pid_that_is_anothers_is_no_server(tmp_path: Path) -> None:
    write(tmp_path, str(os.getpid()), str(tmp_path), "1790000000", "20123", "", "", "", "ready")
    assert running_postmaster(tmp_path) is None


def test_process_whose_folder_is_hidden_is_known_by_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(process: psutil.Process) -> str:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "name", lambda process: "postgres")
    monkeypatch.setattr(psutil.Process, "cwd", hidden)
    monkeypatch.setattr(psutil.Process, "cmdline", lambda process: ["/usr/bin/postgres", "-D", str(tmp_path)])
    assert is_postmaster(os.getpid(), tmp_path)
    assert not is_postmaster(os.getpid(), tmp_path / "other")


def test_pid_of_nobody_is_no_server(tmp_path: Path) -> None:
    assert not is_postmaster(2**22 + 1, tmp_path)

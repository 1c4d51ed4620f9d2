import json
import os
import stat
from pathlib import Path

import pytest

from balsam.exceptions import DatabaseError, NoDatabaseError
from balsam.postgres.serverinfo import (
    ServerInfo,
    protect_server_info,
    read_server_info,
    write_server_info,
)


def write(db_path: Path, text: str) -> Path:
    path = db_path / "server-info"
    path.write_text(text)
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    info = ServerInfo("login1", 20123, "alice", "s3cret", "/tmp/x", "id", "boot", "/usr/bin")
    write_server_info(tmp_path, info)
    assert read_server_info(tmp_path) == info


def test_file_is_one_line_that_only_the_owner_can_read(tmp_path: Path) -> None:
    write_server_info(tmp_path, ServerInfo("login1", 20123))
    path = tmp_path / "server-info"
    assert path.read_text().count("\n") == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_unknown_keys_are_kept(tmp_path: Path) -> None:
    write(tmp_path, json.dumps({"host": "localhost", "port": 5432, "thetahost": "thetalogin4", "n": [1]}))
    write_server_info(tmp_path, read_server_info(tmp_path))
    document = json.loads((tmp_path / "server-info").read_text())
    assert document["thetahost"] == "thetalogin4"
    assert document["n"] == [1]


def test_port_may_be_a_text_of_digits(tmp_path: Path) -> None:
    write(tmp_path, '{"host": "h", "port": "5432"}')
    assert read_server_info(tmp_path).port == 5432


def test_blank_address_of_a_stopped_server_is_read(tmp_path: Path) -> None:
    write(tmp_path, '{"host": "", "port": ""}')
    info = read_server_info(tmp_path)
    assert (info.host, info.port) == ("", 0)


def test_missing_file_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(NoDatabaseError, match="balsam init"):
        read_server_info(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"host": "login1", "po',
        "[]",
        "null",
        '{"host": 5, "port": 1}',
        '{"host": "h", "port": true}',
        '{"host": "h", "port": -1}',
        '{"host": "h", "port": 65536}',
        '{"host": "h", "port": 1, "password": 7}',
        "\x00\x00\x00",
    ],
)
def test_torn_file_is_an_error_that_names_it_and_leaves_it(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(DatabaseError, match=str(path)) as caught:
        read_server_info(tmp_path)
    assert f"balsam init {tmp_path}" in str(caught.value)
    assert path.read_text() == text


def test_bytes_that_are_no_text_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "server-info"
    path.write_bytes(b"\xff\xfe{")
    with pytest.raises(DatabaseError, match=str(path)):
        read_server_info(tmp_path)


def test_password_is_not_in_the_representation() -> None:
    assert "s3cret" not in repr(ServerInfo("h", 1, password="s3cret"))


def test_file_that_others_could_read_is_closed(tmp_path: Path) -> None:
    path = write(tmp_path, "{}")
    path.chmod(0o644)
    assert protect_server_info(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not protect_server_info(tmp_path)


def test_somebody_elses_file_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "{}").chmod(0o644)
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert not protect_server_info(tmp_path)

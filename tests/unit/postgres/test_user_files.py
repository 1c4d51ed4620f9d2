import os
import pwd
import stat
from pathlib import Path

import pytest

from balsam.exceptions import DatabaseError
from balsam.postgres.accounts import login_name
from balsam.postgres.layout import Layout
from balsam.postgres.serverinfo import ServerInfo, parse_server_info, server_info_path, write_server_info
from balsam.postgres.user_files import update_user_infos, write_user_info

OWNERS = ServerInfo("login1", 20001, "owner", "secret", "/db/.socket", "id", "boot", "/pg", "/db")


@pytest.fixture
def db_path(tmp_path: Path) -> Path:
    write_server_info(tmp_path, OWNERS)
    return tmp_path


def pretend_to_be_an_ordinary_user(patch: pytest.MonkeyPatch, bin_dir: Path, setfacl: str) -> None:
    bin_dir.mkdir()
    if setfacl:
        (bin_dir / "setfacl").write_text(f"#!/bin/sh\n{setfacl}\n")
        (bin_dir / "setfacl").chmod(0o755)
    patch.setenv("PATH", f"{bin_dir}:/nowhere")
    patch.setattr(os, "geteuid", lambda: 1000)


def test_file_of_a_user_has_the_place_and_a_password_of_their_own(db_path: Path):
    write_user_info(db_path, "maria", "hers", "owner")
    path = Layout(db_path).user_info("maria")
    found = parse_server_info(path)
    assert (found.host, found.port, found.db_path) == ("login1", 20001, "/db")
    assert (found.user, found.password, found.owner, found.pg_bin) == ("maria", "hers", "owner", "")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_account_of_this_machine_is_added_to_the_readers(
    db_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pretend_to_be_an_ordinary_user(monkeypatch, tmp_path / "bin", f'echo "$@" >{tmp_path}/called')
    assert write_user_info(db_path, "nobody", "pw", "owner")
    uid = pwd.getpwnam("nobody").pw_uid
    assert (tmp_path / "called").read_text() == f"-m u:{uid}:r {Layout(db_path).user_info('nobody')}\n"


@pytest.mark.parametrize("setfacl", ["", "exit 1"], ids=["no command", "no such lists"])
def test_file_that_cannot_be_opened_to_the_user_is_to_be_handed_over(
    db_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setfacl: str
):
    pretend_to_be_an_ordinary_user(monkeypatch, tmp_path / "bin", setfacl)
    assert not write_user_info(db_path, "nobody", "pw", "owner")


@pytest.mark.parametrize("user", ["no such account", "", "a\x00b", "../x"])
def test_name_that_is_no_account_is_handed_over(db_path: Path, user: str):
    assert not write_user_info(db_path, user, "pw", "owner")
    assert Layout(db_path).user_info(user).parent == db_path


def test_files_follow_the_server_and_keep_their_passwords(db_path: Path):
    for user in ("maria", "o'brien"):
        write_user_info(db_path, user, f"pw of {user}", "owner")
    update_user_infos(db_path, ServerInfo("login2", 20002, "owner", "secret", "/tmp/s", boot_id="next"))
    for user in ("maria", "o'brien"):
        found = parse_server_info(Layout(db_path).user_info(user))
        assert (found.host, found.port, found.boot_id) == ("login2", 20002, "next")
        assert (found.user, found.password) == (user, f"pw of {user}")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": "x", "port": 1, "user": "someone else"}'])
def test_files_that_are_not_ours_are_left_alone(db_path: Path, text: str):
    path = db_path / "server-info-backup"
    path.write_text(text)
    update_user_infos(db_path, OWNERS)
    assert path.read_text() == text
    assert len(list(db_path.iterdir())) == 2


def test_guest_reads_the_file_made_for_them_where_the_owners_is_closed(
    db_path: Path, monkeypatch: pytest.MonkeyPatch
):
    own, mine = Layout(db_path).server_info, Layout(db_path).user_info(login_name())
    mine.write_text("{}")
    assert server_info_path(db_path) == own
    monkeypatch.setattr(os, "access", lambda path, mode: path != own)
    assert server_info_path(db_path) == mine
    monkeypatch.setenv("BALSAM_USER", "maria")
    assert server_info_path(db_path) == Layout(db_path).user_info("maria")


def test_stranger_is_told_of_the_owners_file(db_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert server_info_path(db_path) == Layout(db_path).server_info


def test_unreadable_file_says_what_to_ask_the_owner_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path, encoding: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(DatabaseError, match=f"balsam server --add-user {login_name()}"):
        parse_server_info(tmp_path / "server-info")

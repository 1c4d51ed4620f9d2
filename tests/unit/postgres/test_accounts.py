import os
import pwd
from pathlib import Path

import pytest

from balsam.exceptions import DatabaseError
from balsam.postgres import accounts
from balsam.postgres.accounts import (
    Account,
    Owner,
    check_may_control,
    choose_account,
    may_control,
    root_choices,
)

NAMESPACE = ("unshare", "--user")


def entry(name: str, uid: int) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, uid + 1, "", "/", "/bin/sh"))


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is root, on a machine with accounts and without user namespaces."""
    known = [entry("nobody", 65534), entry("postgres", 101), entry("alice", 1000)]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(accounts, "user_namespace_prefix", tuple)
    monkeypatch.setattr(pwd, "getpwall", lambda: known)
    monkeypatch.setattr(accounts, "_entry_of", lambda uid: next(e for e in known if e.pw_uid == uid))


def test_ordinary_user_runs_it_as_himself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(accounts, "_entry_of", lambda uid: entry("alice", uid))
    account = choose_account(tmp_path, tmp_path / "balsamdb", [])
    assert account == Account(1000, os.getegid())
    assert account.command("postgres", "-D", "x") == ["postgres", "-D", "x"]
    assert account.process_owner == {}


def test_user_without_a_name_gets_one_in_a_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr(accounts, "_entry_of", lambda uid: None)
    monkeypatch.setattr(accounts, "user_namespace_prefix", lambda: NAMESPACE)
    assert choose_account(tmp_path, tmp_path / "balsamdb", []).command("initdb") == [*NAMESPACE, "initdb"]


def test_root_prefers_a_namespace_in_which_the_files_stay_his(
    root: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "user_namespace_prefix", lambda: NAMESPACE)
    assert next(root_choices(None)) == Account(0, 0, NAMESPACE)
    assert next(root_choices(Owner(0, 0))) == Account(0, 0, NAMESPACE)


def test_root_without_namespaces_takes_the_account_of_postgres(root: None) -> None:
    first = next(root_choices(None))
    assert (first.uid, first.gid) == (101, 102)
    assert first.process_owner == {"user": 101, "group": 102, "extra_groups": []}


def test_root_without_that_account_takes_nobody(root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwall", lambda: [entry("nobody", 65534)])
    assert next(root_choices(None)).uid == 65534


def test_root_runs_a_users_cluster_as_that_user(root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "user_namespace_prefix", lambda: NAMESPACE)
    assert {(account.uid, account.gid) for account in root_choices(Owner(1000, 7))} == {(1000, 7)}


def test_account_that_cannot_enter_the_folder_gets_the_right_to(
    root: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Account, "reaches", lambda self, paths: "setpriv" in self.prefix)
    account = choose_account(tmp_path, tmp_path / "balsamdb", [])
    assert account.uid == 101
    assert "--ambient-caps=+dac_override" in account.command("postgres")
    assert account.process_owner == {}


def test_root_without_any_account_is_told_what_to_do(
    root: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pwd, "getpwall", list)
    with pytest.raises(DatabaseError, match="ordinary user"):
        choose_account(tmp_path, tmp_path / "balsamdb", [])


def test_only_the_owner_and_root_control_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = tmp_path.stat().st_uid
    for uid, expected in ((owner, True), (0, True), (owner + 4242, False)):
        monkeypatch.setattr(os, "geteuid", lambda uid=uid: uid)
        assert may_control(tmp_path) is expected
    with pytest.raises(DatabaseError, match="only by its owner"):
        check_may_control(tmp_path)

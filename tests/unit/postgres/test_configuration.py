import os
import stat
from pathlib import Path

import pytest

from balsam.postgres.accounts import Account
from balsam.postgres.configuration import is_ours, render_settings, write_fixed_files, write_settings

ME = Account(os.geteuid(), os.getegid())


def settings(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def test_commits_are_durable_and_only_this_host_can_connect() -> None:
    found = settings(render_settings(15, 20123, Path("/db/.socket")))
    assert {found[name] for name in ("fsync", "synchronous_commit", "full_page_writes")} == {"on"}
    assert found["listen_addresses"] == "'127.0.0.1'"
    assert found["port"] == "20123"
    assert found["unix_socket_directories"] == "'/db/.socket'"
    assert found["unix_socket_permissions"] == "0700"


def test_statements_and_their_values_are_not_logged() -> None:
    found = settings(render_settings(15, 20123, None))
    assert found["log_statement"] == "none"
    assert found["log_min_error_statement"] == "panic"


def test_log_of_the_server_is_kept_for_a_week_and_no_longer() -> None:
    found = settings(render_settings(15, 20123, None))
    assert found["log_filename"] == "'postgresql-%a.log'"
    assert (found["log_rotation_age"], found["log_truncate_on_rotation"]) == ("1d", "on")


@pytest.mark.parametrize(("major", "is_known"), [(13, False), (14, True), (18, True)])
def test_version_gets_only_settings_it_knows(major: int, is_known: bool) -> None:
    assert ("client_connection_check_interval" in render_settings(major, 1, None)) is is_known


def test_new_cluster_reads_our_settings_then_the_owners(tmp_path: Path) -> None:
    (tmp_path / "postgresql.conf").write_text("# made by initdb\n")
    write_fixed_files(tmp_path, ME)
    lines = (tmp_path / "postgresql.conf").read_text().splitlines()
    assert lines[-2:] == ["include 'balsam.conf'", "include_if_exists 'local.conf'"]
    assert (tmp_path / "local.conf").exists()


def test_every_login_needs_a_password_and_all_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgresql.conf").write_text("")
    write_fixed_files(tmp_path, ME)
    rules = [line.split() for line in (tmp_path / "pg_hba.conf").read_text().splitlines() if line[0] != "#"]
    assert {rule[-1] for rule in rules} == {"scram-sha-256", "reject"}
    assert [rule[-1] for rule in rules[-2:]] == ["reject", "reject"]
    assert stat.S_IMODE((tmp_path / "pg_hba.conf").stat().st_mode) == 0o600


def test_cluster_is_ours_once_our_settings_are_in_it(tmp_path: Path) -> None:
    assert not is_ours(tmp_path)
    write_settings(tmp_path, "x", ME)
    assert is_ours(tmp_path)

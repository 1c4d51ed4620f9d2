"""client.yml: what older programs wrote is understood, what is unknown is kept, and secrets are not shown."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from balsam.config.client_file import ClientSettings
from balsam.exceptions import ConfigError


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "own" / "client.yml"
    monkeypatch.setenv("BALSAM_CLIENT_PATH", str(found))
    return found


def write(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)


def test_what_is_written_is_read_and_nobody_else_may_read_it(path: Path):
    login = ClientSettings(
        api_root="https://balsam.example.org",
        username="maria",
        token="balsam_a",
        token_expiry=datetime(2026, 12, 1, 8, 30, tzinfo=UTC),
        refresh_token="balsam_refresh_b",
    )
    assert ClientSettings.load_from_file() is None
    assert login.save_to_file() == path
    assert ClientSettings.load_from_file() == login
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    assert "balsam_a" not in repr(login) and "balsam_refresh" not in repr(login)


def test_files_of_older_programs_are_understood(path: Path, caplog: pytest.LogCaptureFixture):
    write(
        path,
        "api_root: http://generic-01:8000\nusername: maria\ntoken: t\ntoken_expiry: 2026-12-01 08:30:00\n"
        "client_class: balsam.client.BasicAuthRequestsClient\nconnect_timeout: 6.2\nread_timeout: 120\n"
        "retry_count: 10\n",
    )
    found = ClientSettings.load_from_file()
    assert found is not None and not caplog.records
    assert (found.username, found.token, found.refresh_token) == ("maria", "t", "")
    assert found.token_expiry == datetime(2026, 12, 1, 8, 30, tzinfo=UTC)
    assert (found.connect_timeout, found.read_timeout, found.retry_count) == (6.2, 120.0, 10)
    found.save_to_file()
    assert ClientSettings.load_from_file() == found


def test_login_anew_keeps_what_is_known_of_the_server_alone(path: Path):
    known = ClientSettings(
        api_root="https://a", username="maria", token="t", refresh_token="r", retry_count=2, ca_file="/ca.pem"
    )
    again = ClientSettings.at("https://a/", known)
    assert (again.token, again.refresh_token, again.retry_count, again.ca_file) == ("", "", 2, "/ca.pem")
    assert ClientSettings.at("https://b", known) == ClientSettings(api_root="https://b")
    assert ClientSettings.at("https://a", None) == ClientSettings(api_root="https://a")


def test_unknown_keys_are_told_and_kept(path: Path, caplog: pytest.LogCaptureFixture):
    write(path, "api_root: http://generic-01:8000\ncolour: green\n")
    with caplog.at_level(logging.WARNING):
        found = ClientSettings.load_from_file()
    assert found is not None and "colour is no setting" in caplog.text
    found.save_to_file()
    assert "colour: green" in path.read_text()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- a list\n", "AttributeError"),
        ("username: maria\n", "no api_root"),
        ("api_root: [secret\n: secret", "line 2"),
        ("api_root: http://x:8000,\n", "no address of a server"),
        ("api_root: http://ada:secret@x\n", "no name and no password"),
        ("api_root: http://x\ntoken_expiry: soon\n", "ValueError"),
        ("api_root: http://x\nconnect_timeout: 0\n", "connect_timeout is 0"),
        ("api_root: http://x\nread_timeout: long\n", "read_timeout is 'long'"),
        ("api_root: http://x\nretry_count: -1\n", "retry_count is -1"),
        ("api_root: http://x\nretry_count: 1.5\n", "retry_count is 1.5"),
    ],
)
def test_file_that_cannot_be_read_is_an_error_without_its_secrets(path: Path, text: str, problem: str):
    write(path, text)
    with pytest.raises(ConfigError, match=problem) as caught:
        ClientSettings.load_from_file()
    assert "balsam login --force" in str(caught.value) and "secret" not in str(caught.value)

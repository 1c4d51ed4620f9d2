"""Settings of logins: the file, the environment above it, and what cannot be."""

from datetime import timedelta
from pathlib import Path

import pytest

from balsam.exceptions import ConfigError
from balsam.server.logins.settings import FILE, LoginSettings, read_settings


def write(directory: Path, text: str) -> None:
    (directory / FILE).touch(mode=0o600)
    (directory / FILE).write_text(text)


def test_without_a_file_passwords_and_codes_are_taken(tmp_path: Path):
    assert read_settings(tmp_path, {}) == LoginSettings()
    assert LoginSettings().methods == ("password", "device") and LoginSettings().takes_passwords


def test_variables_count_more_than_the_file(tmp_path: Path):
    write(
        tmp_path,
        "methods: [device]\ntoken_hours: 2\npublic_url: https://balsam.example.org/\n"
        "provider: {issuer: https://login.example.org, client_id: balsam, client_secret: hidden}\n",
    )
    found = read_settings(tmp_path, {"BALSAM_AUTH_TOKEN_HOURS": "0.5", "BALSAM_OAUTH_NAME": "Example Lab"})
    assert found.methods == ("device",) and found.token_lifetime == timedelta(minutes=30)
    assert found.public_url == "https://balsam.example.org" and not found.takes_passwords
    assert found.provider is not None and found.provider.name == "Example Lab"
    assert found.provider.client_secret == "hidden" and "hidden" not in repr(found)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("colour: green", "colour is no setting"),
        ("methods: [letters]", "methods is"),
        ("methods: []", "methods is"),
        ("token_hours: 0", "token_hours is 0"),
        ("token_hours: soon", "token_hours is 'soon'"),
        ("public_url: balsam.example.org", "is no address"),
        ("provider: {issuer: https://login.example.org}", "needs client_id"),
        ("provider: {issuer: 'http://login.example.org', client_id: x}", "must be https"),
        ("provider: {secret: x}", "provider.secret is no setting"),
        ("provider: [x]", "provider needs"),
        ("[a, b]", "no list of settings"),
        ("a: [", "Cannot read"),
    ],
)
def test_settings_that_cannot_be_are_named(tmp_path: Path, text: str, problem: str):
    write(tmp_path, text)
    with pytest.raises(ConfigError, match=problem):
        read_settings(tmp_path, {})


def test_file_that_others_can_read_is_refused(tmp_path: Path):
    write(tmp_path, "methods: [device]")
    (tmp_path / FILE).chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_settings(tmp_path, {})

"""Whom clients believe: the file of the environment, then that of the login, then public authorities."""

import ssl
from pathlib import Path

import pytest

from balsam.client.trust import trust
from balsam.config.client_file import ClientSettings
from balsam.exceptions import ConfigError


@pytest.fixture(autouse=True)
def client_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALSAM_CLIENT_PATH", str(tmp_path / "client.yml"))


def test_public_authorities_are_trusted_where_nothing_is_said():
    assert trust() is True


def test_a_login_remembers_the_file_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from balsam.server.certificates import ensure_certificate

    ensure_certificate(tmp_path, ["balsam.lab"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BALSAM_CA_FILE", "tls/ca.pem")
    ClientSettings(api_root="https://balsam.lab").save_to_file()
    monkeypatch.delenv("BALSAM_CA_FILE")
    login = ClientSettings.load_from_file()
    assert login is not None and login.ca_file == str(tmp_path / "tls" / "ca.pem")
    assert isinstance(context := trust(login.ca_file), ssl.SSLContext) and len(context.get_ca_certs()) == 1


def test_a_file_without_certificates_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "none.pem"):
        monkeypatch.setenv("BALSAM_CA_FILE", str(tmp_path / name))
        with pytest.raises(ConfigError, match=name):
            trust()

"""How a database is served: what the file may say, and what is refused."""

from pathlib import Path

import pytest

from balsam.exceptions import ConfigError, UsageError
from balsam.server.hosts import certified_names, is_called_so, own_names, shown_host
from balsam.server.settings import ServerSettings, read_settings, write_settings
from balsam.server.unit import unit_text


def test_settings_are_read_as_they_were_written(tmp_path: Path):
    assert read_settings(tmp_path) == ServerSettings()
    settings = ServerSettings(port=9, names=("a", "b"), self_signed=True, host="0.0.0.0")
    write_settings(tmp_path, settings)
    assert read_settings(tmp_path) == settings


@pytest.mark.parametrize(
    "text", ["prot: 8000", "port: '8000'", "port: true", "names: a", "[1]", "{", "self_signed: 1"]
)
def test_a_file_that_is_wrong_is_named(tmp_path: Path, text: str):
    (tmp_path / "server.yml").write_text(text)
    with pytest.raises(ConfigError, match=r"server\.yml"):
        read_settings(tmp_path)


def test_options_count_more_than_the_file():
    settings = ServerSettings(port=9, names=("a",))
    assert settings.changed(port=10, names=None) == ServerSettings(port=10, names=("a",))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_plain_http_is_for_this_host(host: str):
    ServerSettings(host=host).check()


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "login1"])
def test_plain_http_for_others_must_be_said(host: str):
    with pytest.raises(UsageError, match="--insecure"):
        ServerSettings(host=host).check()
    ServerSettings(host=host, insecure=True).check()
    ServerSettings(host=host, self_signed=True).check()


def test_names_are_told_from_those_of_others():
    names = own_names(ServerSettings(names=("Balsam.lab",)))
    for good in (
        "balsam.lab",
        "BALSAM.lab:8000",
        "localhost",
        "127.0.0.1:1",
        "[::1]",
        "[::1]:8000",
        "balsam.lab.",
    ):
        assert is_called_so(good, names), good
    for bad in ("", "evil.lab", "balsam.lab.evil", "xbalsam.lab:8000", "127.0.0.1.evil", "[::1", "a:b:c"):
        assert not is_called_so(bad, names), bad


def test_certificates_are_for_what_clients_may_call():
    everywhere = ServerSettings(host="0.0.0.0", names=("balsam.lab",))
    names = certified_names(everywhere)
    assert {"localhost", "127.0.0.1", "::1", "balsam.lab"} <= set(names) and "0.0.0.0" not in names
    assert shown_host(everywhere) == "balsam.lab" and shown_host(ServerSettings(host="::1")) == "[::1]"


def test_a_unit_keeps_what_systemd_would_read_otherwise():
    text = unit_text(Path("/srv/my 100% $db"), "balsam")
    assert '-p "/srv/my 100%% $$db"' in text
    assert 'Environment="BALSAM_DB_PATH=/srv/my 100%% $db"' in text
    assert "balsam-my_100___db.service" in text

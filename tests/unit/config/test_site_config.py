"""`SiteConfig`: which site, where its directories are, and what it tells children."""

import os
from pathlib import Path

import pytest

from balsam.config import InvalidSettings, Settings, SiteConfig
from balsam.config.site_config import endpoint_here
from balsam.config.site_dir import SiteDir, write_site_file
from balsam.platform.transfer import Endpoint


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("BALSAM_SITE_PATH", "BALSAM_DB_PATH"):  # so that they are put back
        monkeypatch.setenv(name, "")
    path = tmp_path / "site"
    path.mkdir()
    write_site_file(SiteDir(path=path, site_id=7, database="/db"))
    (path / "settings.yml").write_text("machine: local\n")
    return path


def test_site_one_stands_in_is_found(site: Path, monkeypatch: pytest.MonkeyPatch):
    (site / "data").mkdir()
    monkeypatch.chdir(site / "data")
    found = SiteConfig()
    assert (found.site_path, found.site_id) == (site, 7)
    assert found.apps_path == site / "apps" and found.log_path == site / "log"
    assert found.job_path == site / "qsubmit" and found.data_path == site / "data"
    assert (os.environ["BALSAM_SITE_PATH"], os.environ["BALSAM_DB_PATH"]) == (str(site), "/db")


def test_client_has_the_classes_of_the_api(site: Path):
    from balsam.api import Job

    assert SiteConfig(site).client.Job is Job
    with pytest.raises(AttributeError):
        _ = SiteConfig(site).client.Jobs


def test_endpoint_of_the_site_is_that_of_its_settings(site: Path, monkeypatch: pytest.MonkeyPatch):
    assert SiteConfig(site).endpoint == Endpoint("", str(site))
    keys = "globus_endpoint_id: '123'\n  globus_endpoint_site_path: /seen"
    (site / "settings.yml").write_text(f"machine: local\ntransfers:\n  {keys}\n")
    monkeypatch.chdir(site)
    assert endpoint_here() == SiteConfig().endpoint == Endpoint("123", str(site), "/seen")
    monkeypatch.chdir("/")
    monkeypatch.delenv("BALSAM_SITE_PATH")
    assert endpoint_here() == Endpoint()


def test_settings_can_be_given(site: Path):
    given = Settings(filter_tags={"a": "b"})
    assert SiteConfig(site, given).settings is given


def test_outside_of_a_site_is_a_value_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("BALSAM_SITE_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="not inside a site"):
        SiteConfig()
    with pytest.raises(ValueError, match="is no site"):
        SiteConfig(tmp_path)


def test_missing_or_broken_settings_are_told(site: Path):
    (site / "settings.yml").write_text("a: [")
    with pytest.raises(InvalidSettings):
        SiteConfig(site)
    (site / "settings.yml").unlink()
    with pytest.raises(FileNotFoundError, match=r"settings\.yml"):
        SiteConfig(site)
    with pytest.raises(InvalidSettings, match=r"settings\.yml"):
        SiteConfig(site)


def test_names_of_the_settings_are_found_as_older_scripts_write_them(site: Path):
    config = SiteConfig(site)
    assert config.launcher is config.settings.launcher and config.filter_tags == {}
    with pytest.raises(AttributeError, match="'lancher'"):
        _ = config.lancher


def test_site_one_stands_in_is_that_of_the_api(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from balsam import api

    monkeypatch.delenv("BALSAM_SITE_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    assert api.site_config is None
    monkeypatch.chdir(site)
    assert api.site_config is not None and api.site_config.site_id == 7

"""A site as programs see it: its directories, its settings, and the classes of its objects."""

import importlib
import os
from pathlib import Path
from typing import Any

from balsam.config.settings import UserSettings, user_settings
from balsam.config.site_dir import SiteDir, find_site_dir, read_site_dir
from balsam.config.site_record import settings_record
from balsam.config.site_settings import SETTINGS_FILE, InvalidSettings, Settings, load_site_settings
from balsam.config.user_log import log_as_set
from balsam.exceptions import ConfigError
from balsam.platform.transfer import Endpoint

__all__ = [
    "NoSiteError",
    "ObjectClasses",
    "SiteConfig",
    "current_site",
    "endpoint_here",
    "enter_site",
    "settings_here",
]

_MODELS = "balsam.api.models"


class NoSiteError(ConfigError, ValueError):
    """This is not inside a site. `cd` into the directory of one; `balsam site ls` lists them."""


class ObjectClasses:
    """``Site``, ``App``, ``BatchJob``, ``Job``, ``Session`` and ``EventLog``, as `balsam.api` has them."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(importlib.import_module(_MODELS), name)


class SiteConfig:
    """One site: the one given, that of BALSAM_SITE_PATH, or the one that the current directory is in.

    BALSAM_SITE_PATH is set for what this process starts. Raises NoSiteError (a ValueError) outside of a site,
    InvalidSettings for a settings file that is wrong.
    """

    def __init__(self, site_path: Path | str | None = None, settings: Settings | None = None) -> None:
        site = find_site_dir() if site_path is None else _read(Path(site_path))
        if site is None:
            raise NoSiteError
        self.site_dir = site
        self.site_path = site.path
        self.site_id = site.site_id
        self.settings = load_site_settings(site.path / SETTINGS_FILE) if settings is None else settings
        self.apps_path = site.path / "apps"
        self.log_path = site.path / "log"
        self.job_path = site.path / "qsubmit"
        self.data_path = site.path / "data"
        self.client = ObjectClasses()
        enter_site(site)

    def __getattr__(self, name: str) -> Any:
        """Look names up in the settings, as older scripts do."""
        settings = self.__dict__.get("settings")
        if settings is not None and not name.startswith("_") and hasattr(settings, name):
            return getattr(settings, name)
        raise AttributeError(f"SiteConfig has no {name!r}, and neither has settings.yml.")

    @property
    def endpoint(self) -> Endpoint:
        """The Globus endpoint of the site."""
        found = self.settings.transfers
        if found is None:
            return Endpoint()
        return Endpoint(
            found.globus_endpoint_id or "", str(self.site_path), found.globus_endpoint_site_path or ""
        )

    def for_machine(self) -> UserSettings:
        """Return the user's settings as they are at this site."""
        return self.settings.for_machine(self.site_path)

    def enable_logging(self, basename: str = "script") -> Path:
        """Have this process log as the agent and the launchers of the site do; return the file."""
        return log_as_set(basename, self.for_machine(), self.site_path)

    def update_site_from_config(self) -> None:
        """Tell the record of the site what its settings allow, for those who submit from elsewhere."""
        site = self.client.Site.objects.get(id=self.site_id)
        for name, value in settings_record(self.settings).items():
            setattr(site, name, value)
        site.save()


def current_site() -> SiteConfig | None:
    """Return the site that this process works at; None outside of one, or where it has no settings."""
    site = find_site_dir()
    return SiteConfig() if site is not None and (site.path / SETTINGS_FILE).exists() else None


def endpoint_here() -> Endpoint:
    """Return the Globus endpoint of the site that this process works at."""
    site = current_site()
    return Endpoint() if site is None else site.endpoint


def enter_site(site: SiteDir) -> None:
    """Have this process, and what it starts, work at a site and on its database."""
    os.environ["BALSAM_SITE_PATH"] = str(site.path)
    if site.database:
        os.environ["BALSAM_DB_PATH"] = site.database


def settings_here(site: SiteDir | None) -> UserSettings:
    """Return the user's settings, as they are at a site where one is given that has settings of its own."""
    if site is None or not (site.path / SETTINGS_FILE).exists():
        return user_settings()
    return load_site_settings(site.path / SETTINGS_FILE).for_machine(site.path)


def _read(path: Path) -> SiteDir:
    try:
        return read_site_dir(path.expanduser().absolute())
    except InvalidSettings:
        raise
    except ConfigError as error:
        raise NoSiteError(str(error)) from error

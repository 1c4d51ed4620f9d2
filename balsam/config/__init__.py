"""What users configure in files of their own, read and checked, never written over."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from balsam.config.home import balsam_home
from balsam.config.settings import UserSettings, user_settings

if TYPE_CHECKING:
    from balsam.config.client_file import ClientSettings
    from balsam.config.site_config import SiteConfig
    from balsam.config.site_settings import Settings
    from balsam.config.yaml_file import InvalidSettings

__all__ = [
    "ClientSettings",
    "InvalidSettings",
    "Settings",
    "SiteConfig",
    "UserSettings",
    "balsam_home",
    "user_settings",
]

#: Name -> where it is; most commands need no site, and no YAML.
_PLACES = {
    "ClientSettings": "balsam.config.client_file",
    "InvalidSettings": "balsam.config.yaml_file",
    "Settings": "balsam.config.site_settings",
    "SiteConfig": "balsam.config.site_config",
}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'balsam.config' has no attribute {name!r}")

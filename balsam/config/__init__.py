"""What users configure in files of their own, read and checked, never written over."""

from balsam.config.home import balsam_home
from balsam.config.settings import UserSettings, user_settings

__all__ = ["UserSettings", "balsam_home", "user_settings"]

"""Django settings of Balsam: one database, found when the first connection is made, and one app."""

INSTALLED_APPS = ["balsam.core"]
DATABASES = {"default": {"ENGINE": "balsam.core.backend", "NAME": "balsam", "CONN_MAX_AGE": None}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"

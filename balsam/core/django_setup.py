"""Configure Django once per process, without touching a project that has configured it already."""

from django.apps import apps
from django.conf import settings


def configure() -> None:
    """Configure and populate Django unless that has been done or is under way."""
    if not settings.configured:
        from balsam import django_settings

        settings.configure(**{name: value for name, value in vars(django_settings).items() if name.isupper()})
    if not (apps.ready or getattr(apps, "loading", False)):
        # django.setup() would also import the URL machinery and set up logging, which is the program's own.
        apps.populate(settings.INSTALLED_APPS)

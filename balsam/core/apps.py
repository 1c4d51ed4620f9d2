"""The Django app of the core; its label is part of the table names."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Tables `core_*`."""

    name = "balsam.core"
    label = "core"

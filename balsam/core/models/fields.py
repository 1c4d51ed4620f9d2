"""Model fields of our own."""

from typing import Any

from django.db import models

from balsam.lib.envstrings import parse_environ


class EnvironField(models.JSONField):  # type: ignore[type-arg]
    """Environment variables, stored as a JSON object of strings.

    Takes a dict, a list of ``VAR=VALUE`` or the colon form ``A=1:B=2``; after saving, and when read, it is
    a dict.
    """

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Normalise what the user set; raises UsageError when it is no environment."""
        value = parse_environ(getattr(model_instance, self.attname))
        setattr(model_instance, self.attname, value)
        return value

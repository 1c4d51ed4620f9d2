"""Model fields of our own."""

from typing import Any

from django.db import models

from balsam.lib.envstrings import parse_environ


class EnvironField(models.JSONField):
    """Environment variables, stored as a JSON object of strings.

    Takes a dict, a list of ``VAR=VALUE`` or the colon form ``A=1:B=2``; after saving, and when read, it is
    a dict.
    """

    @staticmethod
    def normalised(value: Any) -> dict[str, str]:
        """Return the variables as a dict of texts; raises UsageError when it is no environment."""
        return parse_environ(value)

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        """Normalise what is stored, also by a query's update."""
        if isinstance(value, dict | str | list):
            value = self.normalised(value)
        return super().get_db_prep_save(value, connection)

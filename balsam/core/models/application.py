"""The application table."""

import os
import warnings
from typing import Any

from django.db import models

from balsam.exceptions import NotFoundError

_RULE = "-" * 46


class ApplicationManager(models.Manager["ApplicationDefinition"]):
    """Applications; the name alone tells two apart."""

    def get_or_create(self, defaults: Any = None, **kwargs: Any) -> tuple["ApplicationDefinition", bool]:
        """Return (application, was_created), matching on the name alone where one is given.

        A script that defines its app runs on many nodes, where its own path may differ: the first
        definition stays, and the other fields given serve only to create it.
        """
        if "name" in kwargs:
            name = kwargs.pop("name")
            app, created = super().get_or_create(defaults={**kwargs, **(defaults or {})}, name=name)
            differing = [k for k, v in kwargs.items() if getattr(app, k, v) != v]
            if differing and "BALSAM_JOB_ID" not in os.environ:
                warnings.warn(
                    f"Application {name!r} exists with another {', '.join(differing)}; that one is kept.",
                    stacklevel=2,
                )
            return app, created
        return super().get_or_create(defaults=defaults, **kwargs)


class ApplicationDefinition(models.Model):
    """An executable that jobs name, with its hooks. ``name`` is unique in a database.

    ``executable``, ``preprocess`` and ``postprocess`` are command lines; ``envscript`` is a file sourced in
    bash before the executable.
    """

    name = models.TextField(unique=True)
    description = models.TextField(default="", blank=True, db_default="")
    executable = models.TextField(default="", blank=True, db_default="")
    preprocess = models.TextField(default="", blank=True, db_default="")
    envscript = models.TextField(default="", blank=True, db_default="")
    postprocess = models.TextField(default="", blank=True, db_default="")

    objects = ApplicationManager()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; jobs that wait for their first start go through a preprocess hook that has been added."""
        from balsam.core import transitions

        had_none = bool(self.preprocess) and type(self).objects.filter(pk=self.pk, preprocess="").exists()
        super().save(*args, **kwargs)
        if had_none:
            transitions.require_preprocess(self.name)

    @property
    def cute_id(self) -> str:
        """Short label: ``[name | pk]``."""
        return f"[{self.name} | {self.pk}]"

    def __str__(self) -> str:
        labels = ("name", "description", "executable", "preprocess", "envscript", "postprocess")
        lines = [f"Application {self.pk}:", _RULE]
        lines += [f"{label + ':':<32}{getattr(self, label)}" for label in labels]
        return "\n".join(lines)

    __repr__ = __str__


class UnknownApplication(NotFoundError, ApplicationDefinition.DoesNotExist):
    """There is no application of that name."""

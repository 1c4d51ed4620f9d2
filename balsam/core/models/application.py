"""The application table."""

import os
import warnings
from typing import Any

from django.db import models

from balsam.core.models.site import FIRST_SITE, Site
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


def full_name(name: str, site_id: int) -> str:
    """Return the name by which jobs refer to an application of that name at a site."""
    return name if site_id == FIRST_SITE else f"{name}@{site_id}"


class ApplicationDefinition(models.Model):
    """An executable that jobs name, with its hooks. ``name`` is unique in a database; see `full_name`.

    ``executable``, ``preprocess`` and ``postprocess`` are command lines; ``envscript`` is a file sourced in
    bash before the executable. An application of the site generation has a ``command_template`` or serialized
    Python instead, with its parameters and the hooks that it overrides.
    """

    name = models.TextField(unique=True)
    description = models.TextField(default="", blank=True, db_default="")
    executable = models.TextField(default="", blank=True, db_default="")
    preprocess = models.TextField(default="", blank=True, db_default="")
    envscript = models.TextField(default="", blank=True, db_default="")
    postprocess = models.TextField(default="", blank=True, db_default="")
    site = models.ForeignKey(Site, models.CASCADE, default=FIRST_SITE, db_default=FIRST_SITE)
    command_template = models.TextField(default="", blank=True, db_default="")
    #: Name -> required, default, help.
    parameters = models.JSONField(default=dict, db_default={}, blank=True)
    #: Slot -> required, direction, local_path, description, recursive.
    transfers = models.JSONField(default=dict, db_default={}, blank=True)
    environment_variables = models.JSONField(default=dict, db_default={}, blank=True)
    cleanup_files = models.JSONField(default=list, db_default=[], blank=True)
    #: Names of the methods that its class overrides.
    hooks = models.JSONField(default=list, db_default=[], blank=True)
    #: ``module.Class`` of one that is kept in a file of its site.
    class_path = models.TextField(default="", blank=True, db_default="")
    serialized_class = models.TextField(default="", blank=True, db_default="")
    source_code = models.TextField(default="", blank=True, db_default="")
    #: Counts its changes.
    version = models.IntegerField(default=1, db_default=1)

    objects = ApplicationManager()

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; jobs that wait for their first start go through a preprocess hook that has been added."""
        from balsam.core import transitions

        had_none = bool(self.preprocess) and type(self).objects.filter(pk=self.pk, preprocess="").exists()
        super().save(*args, **kwargs)
        if had_none:
            transitions.require_preprocess(self.name)

    @property
    def short_name(self) -> str:
        """Its name at its own site."""
        return self.name.removesuffix(f"@{self.site_id}") if self.site_id != FIRST_SITE else self.name

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

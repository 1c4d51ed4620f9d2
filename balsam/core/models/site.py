"""The site table: a database directory is the first site of its database."""

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models.functions import Now

from balsam.core.models.account import Account

#: The database directory itself; scripts of the database generation work there.
FIRST_SITE = 1


def _json(default: type) -> Any:
    return models.JSONField(default=default, db_default=default(), blank=True)


class Site(models.Model):
    """A directory whose jobs run below it. ``path`` is the server's own, whatever a client calls it.

    What its agent pushes (queues, projects, windows, where transfers may come from) is kept as it was told.
    """

    name = models.CharField(max_length=100)
    path = models.TextField()
    #: None: the owner of the database.
    owner = models.ForeignKey(Account, models.CASCADE, null=True, blank=True)
    created = models.DateTimeField(editable=False, db_default=Now())
    #: When its agent was last heard of.
    last_refresh = models.DateTimeField(null=True, editable=False)
    globus_endpoint_id = models.UUIDField(null=True, blank=True)
    backfill_windows = _json(dict)
    queued_jobs = _json(dict)
    optional_batch_job_params = _json(dict)
    allowed_projects = _json(list)
    allowed_queues = _json(dict)
    transfer_locations = _json(dict)
    #: What is known of its nodes: ``cpus``, ``gpus``, ``memory_mb``; a missing one is not known.
    node_shape = _json(dict)

    #: The database's time when the row was read, where the query asks for it.
    as_of: datetime

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="site_name_of_owner"),
            models.UniqueConstraint(fields=["name"], condition=models.Q(owner=None), name="site_name_here"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.path})"

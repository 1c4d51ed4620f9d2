"""The session table: one row per process that holds jobs, with its lease by the database clock."""

from django.db import models
from django.db.models.functions import Now

from balsam.core.models.launch import QueuedLaunch
from balsam.core.models.site import FIRST_SITE, Site

#: Kind of the session of which a site has at most one at a time.
SERVICE = "service"
#: Kind of the sessions of programs that users write.
SCRIPT = "script"


class Session(models.Model):
    """A lease. Jobs point at the session that holds them; a heartbeat touches this row alone."""

    kind = models.CharField(max_length=20)
    site = models.ForeignKey(Site, models.CASCADE, default=FIRST_SITE, db_default=FIRST_SITE)
    label = models.TextField(default="", db_default="")
    #: The batch job in which the process runs, as its scheduler names it; '' outside of one.
    scheduler_id = models.TextField(default="", db_default="")
    #: The batch job that a user's program is for; the session ends with it.
    batch_job = models.ForeignKey(QueuedLaunch, models.SET_NULL, null=True, db_index=False)
    host = models.TextField()
    boot_id = models.TextField()
    pid = models.BigIntegerField()
    start_time = models.FloatField()
    created = models.DateTimeField(db_default=Now())
    heartbeat = models.DateTimeField(db_default=Now())
    #: The lease ends here unless a heartbeat comes.
    expires = models.DateTimeField()
    ended = models.DateTimeField(null=True)
    end_reason = models.TextField(default="", db_default="")
    #: What the process says of itself, for people.
    status = models.JSONField(default=dict, db_default={}, blank=True)

    class Meta:
        indexes = [models.Index(fields=["expires"], condition=models.Q(ended=None), name="session_live")]
        constraints = [
            models.UniqueConstraint(
                fields=["site"], condition=models.Q(kind=SERVICE, ended=None), name="one_live_service_of_site"
            )
        ]

    @property
    def lock_text(self) -> str:
        """What the jobs held by this session show as their lock: ``host:pid``."""
        return f"{self.host}:{self.pid}"

    def __str__(self) -> str:
        return f"{self.kind} {self.lock_text} (session {self.pk})"

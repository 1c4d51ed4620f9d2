"""The event table: every state a job entered, in order; the history texts are rendered from it."""

from django.db import models
from django.db.models.functions import Now

from balsam.states import JobState

#: What few jobs enter, and people look for.
RARE_STATES = [
    state.value
    for state in (
        *(JobState.FAILED, JobState.USER_KILLED, JobState.RUN_ERROR, JobState.RUN_TIMEOUT),
        JobState.RESTART_READY,
    )
]


class JobEvent(models.Model):
    """One entry of a job's history.

    ``from_state == to_state`` marks a note that moved nothing (a refused late result, a job given back).
    There is no foreign key to the job: the check would cost more than the row on the hot path, and jobs are
    deleted in one place, which deletes their events.
    """

    job_id = models.UUIDField()
    timestamp = models.DateTimeField(db_default=Now())
    from_state = models.CharField(max_length=16)
    to_state = models.CharField(max_length=16)
    cause = models.TextField(default="", db_default="")
    message = models.TextField(default="", db_default="")
    attempt = models.IntegerField(default=0, db_default=0)
    #: The session that reported it; None where a user asked for it.
    session_id = models.BigIntegerField(null=True)
    #: More of it for programs; None for nothing.
    data = models.JSONField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["job_id", "id"], name="events_of_job"),
            models.Index(fields=["timestamp", "id"], name="events_by_time"),
            # Others are found soon enough by time: they are everywhere.
            models.Index(
                fields=["to_state", "timestamp"],
                condition=models.Q(to_state__in=RARE_STATES),
                name="rare_events",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.timestamp} {self.job_id} {self.from_state} -> {self.to_state}"

"""The transfer table: what is brought into the working directory of a job, and what is taken out of it."""

from django.db import models
from django.db.models.functions import Now

from balsam.core.models.job import BalsamJob
from balsam.states import TransferState

_WAITING = (TransferState.PENDING.value, TransferState.INACTIVE.value)


class TransferItem(models.Model):
    """One file or directory of a job.

    One with a ``slot`` was given with the job and stays with it; one without was made of the job's
    ``stage_in_url``, or of its ``stage_out_url`` and ``stage_out_files``, when it came to that.
    """

    job = models.ForeignKey(BalsamJob, models.DO_NOTHING, db_constraint=False, db_index=False)
    slot = models.TextField(default="", db_default="")
    #: in or out.
    direction = models.CharField(max_length=3)
    #: A name among the ``transfer_locations`` of the site; '': ``remote_path`` is a whole address.
    location_alias = models.TextField(default="", db_default="")
    remote_path = models.TextField()
    #: Relative to the working directory; '.': its own name there. Of ``stage_out_files``: patterns.
    local_path = models.TextField()
    recursive = models.BooleanField(default=False, db_default=False)
    state = models.CharField(
        max_length=16, default=TransferState.AWAITING_JOB.value, db_default=TransferState.AWAITING_JOB.value
    )
    task_id = models.TextField(default="", db_default="")
    #: What is to be told of it: message, bytes, seconds.
    transfer_info = models.JSONField(default=dict, db_default={})
    #: Starts so far; it fences the words of an earlier start.
    attempts = models.IntegerField(default=0, db_default=0)
    #: Starts that were of no avail, since it was last asked for.
    failures = models.IntegerField(default=0, db_default=0)
    session_id = models.BigIntegerField(null=True)
    #: Not to be tried before.
    next_try = models.DateTimeField(db_default=Now())
    last_update = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in TransferState]),
                name="transfer_state_is_known",
            ),
            models.CheckConstraint(
                condition=models.Q(direction__in=("in", "out")), name="transfer_direction_is_known"
            ),
        ]
        indexes = [
            models.Index(fields=["job", "direction"], name="transfers_of_job"),
            models.Index(fields=["id"], condition=models.Q(state__in=_WAITING), name="waiting_transfers"),
            models.Index(fields=["session_id"], condition=~models.Q(session_id=None), name="held_transfers"),
        ]

    def __str__(self) -> str:
        return f"transfer {self.pk} {self.direction} {self.location_alias}:{self.remote_path}"

"""The batch job table: one row per allocation asked of a scheduler, kept for ever with its end state."""

import base64
import getpass
import importlib
import secrets
from datetime import datetime
from pprint import pformat

from django.db import connection, models
from django.db.models.functions import Now

from balsam.core.active import active_db_path
from balsam.core.models.site import FIRST_SITE, Site
from balsam.states import BATCH_JOB_END_STATES, BatchJobEnd, BatchJobState

#: Shown by `str`, in this order; those before ``id`` were there before.
_SHOWN = (
    *("id", "scheduler_id", "project", "queue", "nodes", "wall_minutes", "job_mode", "wf_filter"),
    *("sched_flags", "command", "state", "prescheduled_only", "from_balsam", "reason"),
)
_STORED_STATES = [state.value for state in BatchJobState if state is not BatchJobState.UNKNOWN]
_END_STATES = [state.value for state in BATCH_JOB_END_STATES]
_ENDS = [end.value for end in BatchJobEnd]


def new_marker() -> str:
    """Return a name for a new batch job at its scheduler: 15 characters, random enough to be the only one.

    It begins as users know the batch jobs of Balsam in ``qstat``.
    """
    return "qlaunch" + base64.b32encode(secrets.token_bytes(5)).decode().lower()


def _text() -> "models.TextField[str, str]":
    return models.TextField(default="", db_default="")


class QueuedLaunch(models.Model):
    """A batch job. ``scheduler_id`` is text, as schedulers number them in many ways; '' until submitted.

    ``state`` is what people read: pending-submission, submitted, then the scheduler's own words; ``status``
    is what programs decide by. Only rows with a ``marker`` are intents that Balsam submits; a row that a
    script saves is none.
    """

    scheduler_id = _text()
    project = _text()
    queue = _text()
    nodes = models.IntegerField(default=0, db_default=0)
    wall_minutes = models.IntegerField(default=0, db_default=0)
    job_mode = _text()
    wf_filter = _text()
    sched_flags = _text()
    #: Path of the rendered script.
    command = _text()
    state = models.TextField(default="pending-submission", db_default="pending-submission")
    #: Kept for scripts; has no effect.
    prescheduled_only = models.BooleanField(default=True, db_default=True)
    #: False for batch jobs of the user's that Balsam has not submitted.
    from_balsam = models.BooleanField(default=True, db_default=True)
    #: Name of the scheduler's adapter.
    scheduler = _text()
    #: Its name at the scheduler.
    marker = models.CharField(max_length=15, null=True, unique=True, editable=False)
    #: The scheduler has shown it under that name.
    seen_by_name = models.BooleanField(default=False, db_default=False, editable=False)
    status = models.CharField(
        max_length=20,
        default=BatchJobState.PENDING_SUBMISSION.value,
        db_default=BatchJobState.PENDING_SUBMISSION.value,
        editable=False,
    )
    optional_params = models.JSONField(default=dict, db_default={}, blank=True)
    site = models.ForeignKey(Site, models.CASCADE, default=FIRST_SITE, db_default=FIRST_SITE)
    #: Only jobs with these tags are run.
    filter_tags = models.JSONField(default=dict, db_default={}, blank=True)
    #: Parts of the allocation, each with its own job mode, nodes and tags; None for one whole.
    partitions = models.JSONField(null=True, blank=True)
    created = models.DateTimeField(editable=False, db_default=Now())
    #: When the submit command was last begun.
    submit_began = models.DateTimeField(null=True, editable=False)
    #: Until then, nobody else may submit it.
    submitting_until = models.DateTimeField(null=True, editable=False)
    submitted = models.DateTimeField(null=True, editable=False)
    started = models.DateTimeField(null=True, editable=False)
    ended = models.DateTimeField(null=True, editable=False)
    #: Since when the scheduler, asked again and again, does not know it.
    missing_since = models.DateTimeField(null=True, editable=False)
    deletion_asked = models.DateTimeField(null=True, editable=False)
    end = models.CharField(max_length=20, null=True, editable=False)
    #: Why it waits, was refused, or ended.
    reason = _text()

    #: The database's time when the row was read, where the query asks for it.
    as_of: datetime

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=_STORED_STATES), name="status_is_known"),
            models.CheckConstraint(
                condition=models.Q(end__in=_ENDS) | models.Q(end=None), name="batch_end_is_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=_END_STATES, ended__isnull=False, end__isnull=False)
                | (~models.Q(status__in=_END_STATES) & models.Q(ended=None, end=None)),
                name="ended_batch_job_has_end",
            ),
            models.UniqueConstraint(
                fields=["site", "scheduler", "scheduler_id"],
                condition=~models.Q(status__in=_END_STATES) & ~models.Q(scheduler_id=""),
                name="one_live_batch_job_per_id_of_site",
            ),
        ]
        indexes = [
            models.Index(fields=["scheduler_id"], name="batch_jobs_by_scheduler_id"),
            models.Index(
                fields=["status"], condition=~models.Q(status__in=_END_STATES), name="live_batch_jobs"
            ),
        ]

    @classmethod
    def acquire_advisory(cls) -> bool:
        """Take this user's lock on batch jobs until the connection ends; False when another has it."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_try_advisory_lock(hashtext(%s))", [f"batch jobs of {getpass.getuser()}"]
            )
            return bool(cursor.fetchone()[0])

    @classmethod
    def refresh_from_scheduler(cls) -> None:
        """Bring all rows up to date with the scheduler; raises BalsamError when it does not answer."""
        from balsam.core.premises import check_files_are_here

        check_files_are_here()
        importlib.import_module("balsam.batch.refreshing").refresh_active(active_db_path())

    def __str__(self) -> str:
        return "Qlaunch " + pformat({name: getattr(self, name) for name in _SHOWN}, sort_dicts=False)

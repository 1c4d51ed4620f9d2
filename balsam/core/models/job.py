"""The job table; saving writes what the user changed, and never a state, a lock or the history."""

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now

from balsam.core.models.fields import EnvironField
from balsam.core.models.job_behaviour import JobBehaviour
from balsam.core.models.launch import QueuedLaunch
from balsam.core.models.query import JobManager, NextNumber
from balsam.core.models.session import Session
from balsam.core.models.site import FIRST_SITE, Site
from balsam.core.models.source import SourceManager
from balsam.core.models.tracking import TrackedModel
from balsam.states import END_STATES, RUNNABLE_STATES, STATES, JobState

if TYPE_CHECKING:
    from balsam.core.models.transfer import TransferItem

#: Columns that only the core writes.
CORE_COLUMNS = frozenset(
    (
        *("state", "session_id", "lock", "attempt", "return_code", "pending_parents", "timeouts", "errors"),
        *("hook_moved", "number", "created", "last_update"),
    )
)


def _text() -> Any:
    return models.TextField(default="", blank=True, db_default="")


def _count(default: int) -> Any:
    return models.IntegerField(default=default, db_default=default)


def _flag(default: bool) -> Any:
    return models.BooleanField(default=default, db_default=default)


class BalsamJob(JobBehaviour, TrackedModel):
    """One run of an application. The order of the columns is the order ``str(job)`` shows."""

    job_id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.BigIntegerField(unique=True, editable=False, db_default=NextNumber())
    workflow = _text()
    name = _text()
    description = _text()
    lock = _text()
    input_files = _text()
    stage_in_url = _text()
    stage_out_files = _text()
    stage_out_url = _text()
    #: Expected run time in minutes.
    wall_time_minutes = _count(1)
    num_nodes = _count(1)
    coschedule_num_nodes = _count(0)
    ranks_per_node = _count(1)
    cpu_affinity = models.TextField(default="none", db_default="none")
    threads_per_rank = _count(1)
    threads_per_core = _count(1)
    gpus_per_rank = models.FloatField(default=0.0, db_default=0.0)
    memory_mb_per_node = _count(0)
    #: How many such jobs may share a node.
    node_packing_count = _count(1)
    #: Higher runs first.
    priority = _count(0)
    environ_vars = EnvironField(default=dict, db_default={}, blank=True)
    mpi_flags = _text()
    application = _text()
    args = _text()
    user_workdir = _text()
    wait_for_parents = _flag(True)
    #: What a parent's failure does to this job while it waits: fail, ignore or hold.
    on_parent_failure = models.TextField(default="fail", db_default="fail")
    post_error_handler = _flag(False)
    post_timeout_handler = _flag(False)
    auto_timeout_retry = _flag(True)
    max_timeout_retries = _count(25)
    max_error_retries = _count(0)
    state = models.CharField(max_length=16, default=JobState.CREATED.value, editable=False)
    session = models.ForeignKey(
        Session, models.DO_NOTHING, null=True, editable=False, db_constraint=False, db_index=False
    )
    #: Starts so far; it fences the writes of an earlier start.
    attempt = _count(0)
    timeouts = _count(0)
    errors = _count(0)
    return_code = models.IntegerField(null=True, editable=False)
    pending_parents = _count(0)
    #: Its own hook, which has not ended yet, has moved it: it stays held until that has.
    hook_moved = models.BooleanField(default=False, db_default=False, editable=False)
    queued_launch = models.ForeignKey(
        QueuedLaunch, models.SET_NULL, null=True, blank=True, db_index=False, db_constraint=False
    )
    created = models.DateTimeField(editable=False, db_default=Now())
    last_update = models.DateTimeField(editable=False, db_default=Now())
    data = models.JSONField(default=dict, db_default={}, blank=True)
    site = models.ForeignKey(
        Site,
        models.DO_NOTHING,
        default=FIRST_SITE,
        db_default=FIRST_SITE,
        db_index=False,
        db_constraint=False,
    )
    tags = models.JSONField(default=dict, db_default={}, blank=True)
    #: Below the data directory of its site; '' for a job that is named and sorted by workflow.
    workdir = _text()
    parameters = models.JSONField(default=dict, db_default={}, blank=True)
    launch_params = models.JSONField(default=dict, db_default={}, blank=True)
    #: What a Python application takes, returns and raises, as its runner writes it.
    serialized_parameters = _text()
    serialized_return_value = _text()
    serialized_exception = _text()
    pending_file_cleanup = _flag(False)

    objects = JobManager()
    source = SourceManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=STATES), name="state_is_known"),
            models.CheckConstraint(
                condition=~models.Q(state__in=END_STATES) | models.Q(session=None), name="ended_job_is_free"
            ),
            models.CheckConstraint(
                condition=~models.Q(state=JobState.RUNNING.value) | models.Q(session__isnull=False),
                name="running_job_is_held",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    num_nodes__gte=1,
                    ranks_per_node__gte=1,
                    threads_per_rank__gte=1,
                    threads_per_core__gte=1,
                    node_packing_count__gte=1,
                    wall_time_minutes__gte=0,
                    gpus_per_rank__gte=0,
                ),
                name="resources_are_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(on_parent_failure__in=("fail", "ignore", "hold")),
                name="parent_policy_is_known",
            ),
        ]
        indexes = [
            # Serves claims: its cost does not depend on how many jobs are finished.
            models.Index(
                models.F("site"),
                models.F("priority").desc(),
                models.F("num_nodes").desc(),
                models.F("wall_time_minutes").desc(),
                models.F("number"),
                condition=models.Q(state__in=RUNNABLE_STATES, session=None),
                name="runnable_jobs",
            ),
            models.Index(fields=["state"], condition=~models.Q(state__in=END_STATES), name="open_jobs"),
            models.Index(fields=["workflow"], name="jobs_of_workflow"),
            models.Index(
                fields=["queued_launch"], condition=~models.Q(queued_launch=None), name="jobs_of_launch"
            ),
            models.Index(
                fields=["site", "number"], condition=~models.Q(site=FIRST_SITE), name="jobs_of_site"
            ),
            GinIndex(
                fields=["tags"],
                opclasses=["jsonb_path_ops"],
                condition=~models.Q(tags={}),
                name="tagged_jobs",
            ),
            models.Index(fields=["session"], condition=~models.Q(session=None), name="held_jobs"),
            # Counts by state read this alone, and a page of one state begins where it does.
            models.Index(fields=["site", "state", "number"], name="jobs_by_state"),
            models.Index(fields=["last_update"], name="jobs_by_update"),
        ]

    #: Parents to be linked when the job is first saved.
    _new_parents: tuple[uuid.UUID, ...] = ()
    #: Transfers to be added then.
    _new_transfers: "tuple[TransferItem, ...]" = ()

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: "models.QuerySet[BalsamJob] | None" = None,
    ) -> None:
        """Read the row again, or some columns of it; raises DoesNotExist if it has been deleted."""
        names = None if fields is None else list(fields)
        super().refresh_from_db(using=using, fields=names, from_queryset=from_queryset)
        if names is None:
            self.remember_saved()
        else:
            self.remember_columns(self._meta.get_field(name).attname for name in names)

    def save(
        self,
        *args: Any,
        update_fields: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Insert the job, or write the columns that changed.

        A state assigned in memory is a request to move the job from the state that was read; it raises
        InvalidStateError when the job has moved on since, after the other columns have been written. Locks,
        counters and the history are never written. A job with a new ``job_id`` is another job.
        """
        from balsam.core import saving

        saving.save(self, update_fields)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the job, its edges and its history; children that wait for it fail by their policy."""
        from balsam.core import jobs

        count = jobs.delete([self.job_id])
        return count, {self._meta.label: count}

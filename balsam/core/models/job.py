"""The job table, and saving: only what the user changed is written, and never a state, a lock or the history."""

import json
import uuid
from collections.abc import Collection, Iterable
from typing import Any, Self

from django.db import models
from django.db.models.functions import Now

from balsam.core.models.fields import EnvironField
from balsam.core.models.job_behaviour import JobBehaviour
from balsam.core.models.launch import QueuedLaunch
from balsam.core.models.query import JobManager, NextNumber
from balsam.core.models.session import Session
from balsam.core.models.source import SourceManager
from balsam.states import END_STATES, RUNNABLE_STATES, STATES, JobState

_JSON_FIELDS = ("data", "environ_vars")
#: Columns that only the core writes.
CORE_COLUMNS = frozenset(
    ("state", "session_id", "lock", "attempt", "return_code", "pending_parents", "timeouts", "errors", "number")
)


def _frozen(name: str, value: Any) -> Any:
    """A value to compare with later; JSON as text, since it can be changed in place."""
    return json.dumps(value, sort_keys=True, default=str) if name in _JSON_FIELDS and value else value


def _text() -> Any:
    return models.TextField(default="", blank=True, db_default="")


def _count(default: int) -> Any:
    return models.IntegerField(default=default, db_default=default)


def _flag(default: bool) -> Any:
    return models.BooleanField(default=default, db_default=default)


class BalsamJob(JobBehaviour, models.Model):
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
    queued_launch = models.ForeignKey(
        QueuedLaunch, models.SET_NULL, null=True, blank=True, db_index=False, db_constraint=False
    )
    created = models.DateTimeField(editable=False, db_default=Now())
    last_update = models.DateTimeField(editable=False, db_default=Now())
    data = models.JSONField(default=dict, db_default={}, blank=True)

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
            models.Index(fields=["session"], condition=~models.Q(session=None), name="held_jobs"),
        ]

    #: Parents to be linked when the job is first saved.
    _new_parents: tuple[uuid.UUID, ...] = ()
    #: Column values as last read or written, JSON ones as text.
    _saved: dict[str, Any] = {}

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any]) -> Self:
        """Make an instance of a row and remember what was read."""
        job = super().from_db(db, field_names, values)
        job.remember_saved()
        return job

    def remember_saved(self) -> None:
        """Take the present values for those of the database."""
        self._saved = {name: _frozen(name, value) for name, value in self.__dict__.items() if name[0] != "_"}

    def changed_fields(self) -> set[str]:
        """Names of the columns whose value differs from what was read or last saved."""
        present = {f.attname: self.__dict__[f.attname] for f in self._meta.concrete_fields if f.attname in self.__dict__}
        unset = object()
        return {
            name for name, value in present.items() if self._saved.get(name, unset) != _frozen(name, value)
        }

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, **kwargs: Any
    ) -> None:
        """Read the row again, or some columns of it."""
        names = None if fields is None else list(fields)
        super().refresh_from_db(using=using, fields=names, **kwargs)
        if names is None:
            self.remember_saved()
        else:
            self._remember(self._meta.get_field(name).attname for name in names)

    def _remember(self, attnames: Iterable[str]) -> None:
        values = {name: _frozen(name, self.__dict__[name]) for name in attnames if name in self.__dict__}
        self._saved = {**self._saved, **values}

    def save(
        self,
        *args: Any,
        update_fields: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Insert the job, or write the columns that changed.

        A state assigned in memory is a request to move the job from the state that was read; it raises
        InvalidStateError when the job has moved on since. Locks, counters and the history are never written.
        """
        from balsam.core import jobs, transitions

        if self._state.adding:
            jobs.insert([self])
            return
        changed = self.changed_fields()
        if update_fields is not None:
            attnames = {self._meta.get_field(name).attname for name in update_fields}
            changed = {name for name in attnames if name in changed}
        moved = "state" in changed
        changed -= CORE_COLUMNS
        if changed:
            jobs.check([self])
            super().save(update_fields=sorted(changed))
        if moved:
            transitions.compare_and_set(self, JobState(self._saved["state"]), self.state)
        self._remember(changed)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the job, its edges and its history; children that wait for it fail by their policy."""
        from balsam.core import jobs

        count = jobs.delete([self.job_id])
        return count, {self._meta.label: count}


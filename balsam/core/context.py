"""Which job this process runs in, from the environment a launcher gives it."""

import os
import uuid
from collections.abc import Callable
from typing import Any

from balsam.core.active import active_db_path
from balsam.core.models import BalsamJob
from balsam.exceptions import JobGoneError, NotInJobError

_OUTSIDE = "To use Balsam outside of a job, unset BALSAM_JOB_ID."


def job_id() -> uuid.UUID | None:
    """Return the id in BALSAM_JOB_ID, None outside of a job; raises JobGoneError for one that is no id."""
    text = os.environ.get("BALSAM_JOB_ID", "")
    if not text:
        return None
    try:
        return uuid.UUID(text)
    except ValueError:
        raise JobGoneError(f"BALSAM_JOB_ID is {text!r}, which is no job id. {_OUTSIDE}") from None


def current_job() -> BalsamJob | None:
    """Return the job this process runs in, None outside of one.

    Raises JobGoneError when it is not in the active database, DatabaseUnreachable when that does not answer.
    """
    found = job_id()
    if found is None:
        return None
    try:
        return BalsamJob.objects.get(pk=found)
    except BalsamJob.DoesNotExist:
        raise JobGoneError(
            f"BALSAM_JOB_ID is {found}, and the database {active_db_path()} has no such job: "
            f"it was deleted, or another database is active. {_OUTSIDE}"
        ) from None


class Attributes:
    """The values of `balsam.launcher.dag` that depend on the environment, each found when it is asked for."""

    def __init__(self) -> None:
        self._job: BalsamJob | None = None
        self._lookups: dict[str, Callable[[], Any]] = {
            "JOB_ID": lambda: job_id() or "",
            "TIMEOUT": lambda: _is_set("BALSAM_JOB_TIMEOUT"),
            "ERROR": lambda: _is_set("BALSAM_JOB_ERROR"),
            "LAUNCHER_NODES": lambda: os.environ.get("BALSAM_LAUNCHER_NODES", 1),
            "current_job": self.current_job,
            "parents": lambda: (job := self.current_job()) and job.get_parents(),
            "children": lambda: (job := self.current_job()) and job.get_children(),
        }

    def get(self, name: str) -> Any:
        """Return the value of that name; raises AttributeError for others."""
        if name not in self._lookups:
            raise AttributeError(f"module 'balsam.launcher.dag' has no attribute {name!r}")
        return self._lookups[name]()

    def current_job(self) -> BalsamJob | None:
        """Return the job this process runs in, the same object every time, or None."""
        if self._job is None or self._job.job_id != job_id():
            self._job = current_job()
        return self._job

    def require_current_job(self) -> BalsamJob:
        """Return the job this process runs in; raises NotInJobError outside of one."""
        job = self.current_job()
        if job is None:
            raise NotInJobError(
                "This is not inside a job: BALSAM_JOB_ID is not set.\n"
                "Call it from an application or hook that a launcher runs; elsewhere use add_job()."
            )
        return job


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").upper() in ("TRUE", "1")

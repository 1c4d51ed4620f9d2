"""What a job says of itself and what it can be asked to do; the columns are in ``job``."""

import json
import os
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from balsam.core.models.application import ApplicationDefinition
from balsam.core.models.event import JobEvent
from balsam.core.models.history import history_line
from balsam.core.models.site import FIRST_SITE
from balsam.exceptions import InvalidParentsError, NoApplication
from balsam.lib.envstrings import parse_environ
from balsam.states import JobState

if TYPE_CHECKING:
    from balsam.core.models.job import BalsamJob
    from balsam.core.models.query import JobQuerySet

#: What a job's standing is read from; a move changes it.
STANDING = ("state", "session", "lock", "attempt", "timeouts", "errors", "pending_parents", "hook_moved")
_RULE = "-" * 46
_NOT_SHOWN = (
    *("job_id", "session", "pending_parents", "timeouts", "errors", "hook_moved"),
    *("site", "tags", "workdir", "parameters", "launch_params", "pending_file_cleanup"),
    *("serialized_parameters", "serialized_return_value", "serialized_exception"),
)


class JobBehaviour:
    """Methods and derived properties of `BalsamJob`."""

    if TYPE_CHECKING:
        job_id: uuid.UUID
        name: str
        workflow: str
        application: str
        args: str
        state: str
        user_workdir: str
        created: datetime
        _meta: Any
        objects: Any

    def __str__(self) -> str:
        lines = [f"BalsamJob {self.job_id}", _RULE]
        lines += [
            f"{field.name + ':':<32}{_shown(getattr(self, field.attname))}"
            for field in self._meta.concrete_fields
            if field.name not in _NOT_SHOWN
        ]
        try:
            command = self.app_cmd
        except (NoApplication, ApplicationDefinition.DoesNotExist):
            command = "(no such application)"
        lines.append(f"{'*** Executed command:':<32}{command}")
        lines.append(f"{'*** Working directory:':<32}{self.working_directory}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    @property
    def cute_id(self) -> str:
        """Short label: ``[name | id8]``, or ``[id8]`` for a job without a name."""
        short = str(self.job_id)[:8]
        return f"[{self.name} | {short}]" if self.name else f"[{short}]"

    @property
    def num_ranks(self) -> int:
        """Ranks over all nodes."""
        job: Any = self
        return int(job.num_nodes * job.ranks_per_node)

    @property
    def required_num_cores(self) -> int:
        """Physical cores needed on each node, at least 1."""
        job: Any = self
        return max(1, int(job.ranks_per_node * job.threads_per_rank // job.threads_per_core))

    # -- application ---------------------------------------------------------------------------------

    def get_application(self) -> ApplicationDefinition:
        """Return the application the job names, as it is now.

        Raises NoApplication when the job names none, ApplicationDefinition.DoesNotExist for an unknown one.
        """
        if not self.application:
            raise NoApplication(f"Job {self.cute_id} names no application.")
        return ApplicationDefinition.objects.get(name=self.application)

    @property
    def app_cmd(self) -> str:
        """Executable and arguments, blanks normalised and ``~`` expanded in each word."""
        return app_command(self.get_application().executable, self.args)

    @property
    def envscript(self) -> str | None:
        """The application's environment script if it is an existing file, else None."""
        path = self.get_application().envscript
        return path if path and Path(path).expanduser().is_file() else None

    @property
    def preprocess(self) -> str:
        """The application's preprocess command line; '' for a job without application."""
        return self.get_application().preprocess if self.application else ""

    @property
    def postprocess(self) -> str:
        """The application's postprocess command line; '' for a job without application."""
        return self.get_application().postprocess if self.application else ""

    # -- environment and files -----------------------------------------------------------------------

    @staticmethod
    def parse_envstring(text: str) -> dict[str, str]:
        """Parse ``A=1:B=2``."""
        return parse_environ(text)

    def get_envs(self, timeout: bool = False, error: bool = False) -> dict[str, str]:
        """Return what the job's processes find in their environment on top of the launcher's own."""
        from balsam.core.environment import job_environ

        job: Any = self
        return job_environ(
            job_id=str(self.job_id),
            environ_vars=job.environ_vars,
            threads_per_rank=job.threads_per_rank,
            parent_ids=self.get_parents_by_id(),
            timeout=timeout,
            error=error,
        )

    @property
    def working_directory(self) -> str:
        """Where the job runs, on the server's side."""
        from balsam.core.workdirs import site_root, workdir_of

        job: Any = self
        root = site_root(job.site_id) if job.site_id != FIRST_SITE else ""
        return workdir_of(
            self.job_id, self.name, self.workflow, self.user_workdir, root, below_data=job.workdir
        )

    def read_file_in_workdir(self, fname: str) -> str:
        """Return the text of a file in the working directory.

        Raises ValueError when there is no such file.
        """
        path = Path(self.working_directory, fname)
        if not path.exists():
            raise ValueError(f"{fname} not found in working directory of {self.cute_id}: {path.parent}")
        return path.read_text(errors="replace")

    # -- graph ---------------------------------------------------------------------------------------

    @property
    def parents(self) -> str:
        """JSON list of the parents' ids, in order of creation; takes such a list, or one of jobs or ids."""
        return json.dumps(self.get_parents_by_id())

    @parents.setter
    def parents(self, value: Any) -> None:
        try:
            self.set_parents(json.loads(value) if isinstance(value, str) else value)
        except json.JSONDecodeError as error:
            raise InvalidParentsError(f"{value!r} is no JSON list of job ids: {error}.") from error

    def get_parents(self) -> "JobQuerySet":
        """Jobs this one depends on, in order of creation."""
        jobs: JobQuerySet = type(self).objects.filter(child_edges__child=self.job_id).order_by("number")
        return jobs

    def get_parents_by_id(self) -> list[str]:
        """Ids of the parents as text, in order of creation."""
        from balsam.core.models.dependency import JobDependency

        job = self._as_job()
        if job._state.adding:
            return [str(parent) for parent in job._new_parents]
        edges = JobDependency.objects.filter(child_id=self.job_id).order_by("parent__number")
        return [str(parent_id) for parent_id in edges.values_list("parent_id", flat=True)]

    def set_parents(self, parents: Iterable[Any]) -> None:
        """Replace the parents by these jobs or ids.

        Raises InvalidParentsError when it is no iterable of known jobs, CycleError when a cycle would close.
        """
        from balsam.core import dependencies

        if isinstance(parents, str) or not isinstance(parents, Iterable):
            raise InvalidParentsError(
                f"Parents of {self.cute_id} must be a list of jobs or ids, not {parents!r}."
            )
        dependencies.set_parents(self._as_job(), list(parents))

    def get_children(self) -> "JobQuerySet":
        """Jobs that depend on this one, in order of creation."""
        jobs: JobQuerySet = type(self).objects.filter(parent_edges__parent=self.job_id).order_by("number")
        return jobs

    def get_children_by_id(self) -> list[uuid.UUID]:
        """Ids of the children, in order of creation."""
        return self.get_children().job_ids()

    def get_child_by_name(self, name: str) -> "BalsamJob":
        """Return the one child of this name.

        Raises ValueError when there is none, or more than one.
        """
        found = list(self.get_children().filter(name=name)[:2])
        if len(found) != 1:
            raise ValueError(
                f"{'No child' if not found else 'Several children'} of {self.cute_id} named {name!r}."
            )
        return found[0]

    # -- state ---------------------------------------------------------------------------------------

    def update_state(self, new_state: str, message: str = "", release: bool = False) -> None:
        """Move the job to a state and record why. ``release`` is accepted: every move frees the job.

        Raises InvalidStateError for an unknown state, for RUNNING (only a launcher starts a job) and for a
        job that a user has killed; NotFoundError when the job is no longer in the database.
        """
        from balsam.core import transitions

        transitions.set_state([self.job_id], new_state, message, strict=True)
        self._reload_state()

    @classmethod
    def batch_update_state(
        cls, pk_list: Any, new_state: str, message: str = "", release: bool = False
    ) -> list[uuid.UUID]:
        """Move many jobs (ids, jobs or a queryset) at once; killed ones stay killed. Returns those moved."""
        from balsam.core import transitions

        ids = [getattr(item, "job_id", item) for item in pk_list]
        return transitions.set_state(ids, new_state, message)

    def _reload_state(self) -> None:
        job: Any = self
        job.refresh_from_db(fields=STANDING)

    def _as_job(self) -> "BalsamJob":
        job: Any = self
        return job  # type: ignore[no-any-return]

    @property
    def tick(self) -> datetime:
        """Last heartbeat of the owner; the time of creation for a free job."""
        job: Any = self
        return job.session.heartbeat if job.session_id else self.created

    def events(self) -> list[JobEvent]:
        """Return the recorded moves and notes, oldest first."""
        return list(JobEvent.objects.filter(job_id=self.job_id).order_by("id"))

    @property
    def state_history(self) -> str:
        """The history as text, one entry a line (messages may span lines)."""
        entries = [history_line(JobState.CREATED, "", self._born_at())]
        entries += [history_line(event.to_state, event.message, event.timestamp) for event in self.events()]
        return "".join(entries)

    def _born_at(self) -> datetime | None:
        """When the job was saved; None before that."""
        return None if self._as_job()._state.adding else self.created

    def get_recent_state_str(self) -> str:
        """Return the last entry of the history."""
        last = JobEvent.objects.filter(job_id=self.job_id).order_by("id").last()
        if last is None:
            return history_line(JobState.CREATED, "", self._born_at()).strip()
        return history_line(last.to_state, last.message, last.timestamp).strip()

    def get_state_times(self) -> dict[str, datetime]:
        """Return state -> naive UTC time the job last entered it."""
        born_at = self._born_at()
        times = {} if born_at is None else {JobState.CREATED.value: born_at.replace(tzinfo=None)}
        for event in self.events():
            if event.from_state != event.to_state:
                times[event.to_state] = event.timestamp.replace(tzinfo=None)
        return times

    @property
    def runtime_seconds(self) -> float | None:
        """Seconds from RUNNING to RUN_DONE, or None."""
        times = self.get_state_times()
        if JobState.RUNNING in times and JobState.RUN_DONE in times:
            return (times[JobState.RUN_DONE] - times[JobState.RUNNING]).total_seconds()
        return None


def _shown(value: object) -> object:
    """Return a value as ``str(job)`` shows it; what the database fills in when the job is saved is blank."""
    return "" if hasattr(value, "resolve_expression") else value


def app_command(executable: str, args: str) -> str:
    """Join executable and arguments, blanks normalised and ``~`` expanded in each word."""
    return " ".join(os.path.expanduser(word) for word in f"{executable} {args}".split())

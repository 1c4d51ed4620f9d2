"""The objects of the Python API: sites, applications, jobs, batch jobs, events."""

from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from balsam.api import waiting
from balsam.api.connection import client
from balsam.api.managers import Manager, WritableManager
from balsam.api.objects import Model
from balsam.api.queries import Query
from balsam.api.serializing import load, load_exception, plain_or_serialized
from balsam.exceptions import NotFoundError, UsageError
from balsam.schemas.explanations import Explanation
from balsam.schemas.resources import RESOURCES, Record
from balsam.states import END_STATES, JobState

if TYPE_CHECKING:
    from balsam.api.application import ApplicationDefinition

__all__ = ["App", "BatchJob", "EventLog", "Job", "Site"]


class Site(Model):
    """A directory where jobs run, on some machine."""

    _resource = RESOURCES["site"]
    _positional = ("name", "path")

    id: int
    name: str
    path: Path
    last_refresh: datetime | None
    creation_date: datetime
    globus_endpoint_id: str | None
    backfill_windows: dict[str, Any]
    queued_jobs: dict[str, Any]
    optional_batch_job_params: dict[str, str]
    allowed_projects: list[str]
    allowed_queues: dict[str, Any]
    transfer_locations: dict[str, str]

    objects: ClassVar[WritableManager["Site"]]

    def _resolve(self, fields: dict[str, Any]) -> Record:
        if isinstance(path := fields.get("path"), Path):
            fields["path"] = str(path)
        if isinstance(path := fields.get("path"), str) and not path.startswith("/"):
            raise UsageError(f"The path of a site is {path!r}; give the full path.")
        return fields


class App(Model):
    """An application of one site: what its jobs run."""

    _resource = RESOURCES["app"]

    id: int
    site_id: int
    name: str
    description: str
    command_template: str
    parameters: dict[str, Any]
    transfers: dict[str, Any]
    environment_variables: dict[str, str]
    cleanup_files: list[str]
    hooks: list[str]
    class_path: str
    serialized_class: str
    source_code: str
    version: int

    objects: ClassVar[WritableManager["App"]]


class JobManager(WritableManager["Job"]):
    """Queries over jobs, and waiting for them."""

    wait = staticmethod(waiting.wait)
    as_completed = staticmethod(waiting.as_completed)


class Job(Model):
    """One run of an application. ``app_id`` takes an id, a name, or an application class."""

    _resource = RESOURCES["job"]
    _positional = ("workdir", "app_id")
    _extra_keywords = ("site_name",)
    _aware_times = frozenset(("last_update",))

    id: int
    workdir: str
    app_id: int
    site_id: int
    tags: dict[str, str]
    data: dict[str, Any]
    return_code: int | None
    num_nodes: int
    ranks_per_node: int
    threads_per_rank: int
    threads_per_core: int
    launch_params: dict[str, str]
    gpus_per_rank: float
    node_packing_count: int
    wall_time_min: int
    priority: int
    on_parent_failure: str
    parent_ids: set[int]
    batch_job_id: int | None
    last_update: datetime
    state: str
    state_data: dict[str, Any]
    pending_file_cleanup: bool
    serialized_parameters: str
    serialized_return_value: str
    serialized_exception: str

    objects: ClassVar[JobManager]

    class NoResult(NotFoundError):
        """The job has no result."""

    def _resolve(self, fields: dict[str, Any]) -> Record:
        site_name = fields.pop("site_name", None)
        if isinstance(path := fields.get("workdir"), Path):
            fields["workdir"] = str(path)
        if "app_id" in fields:
            fields["app_id"] = _app_id(fields["app_id"], site_name)
        if isinstance(parameters := fields.get("parameters"), Mapping):
            fields["parameters"], serialized = plain_or_serialized(parameters)
            fields.setdefault("serialized_parameters", serialized)
        return fields

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters of the application. Those that had to be serialized can be replaced only."""
        if self.serialized_parameters:
            return MappingProxyType(load(self.serialized_parameters))
        values: Mapping[str, Any] = self.__dict__["_values"]["parameters"]
        return values

    @parameters.setter
    def parameters(self, parameters: Mapping[str, Any]) -> None:
        self.set_parameters(parameters)

    def get_parameters(self) -> dict[str, Any]:
        """Return the parameters of the application."""
        return dict(self.parameters)

    def set_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Replace the parameters of the application."""
        values = self.__dict__["_values"]
        values["parameters"], values["serialized_parameters"] = plain_or_serialized(parameters)

    @property
    def app(self) -> "type[ApplicationDefinition]":
        """A class for the application, as `ApplicationDefinition.load_by_id` makes it."""
        from balsam.api.application import ApplicationDefinition

        return ApplicationDefinition.load_by_id(self.app_id)

    def resolve_workdir(self, data_path: Path) -> Path:
        """Return the working directory below the data directory of its site."""
        return data_path / self.workdir

    def parent_query(self) -> Query["Job"]:
        """Return the query of the parents."""
        return Job.objects.filter(id=sorted(self.parent_ids))

    def children_query(self) -> Query["Job"]:
        """Return the query of the jobs that wait, or waited, for this one."""
        return Job.objects.filter(parent_id=self.id)

    def explain(self) -> Explanation:
        """Say why the job is in its state, from what that is seen, and what comes next or what to type."""
        return client().explain_job(self.id)

    def done(self) -> bool:
        """Read the job again, and say whether it has ended."""
        self.refresh_from_db()
        return self.state in END_STATES

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the job's end, at most ``timeout`` seconds; raises concurrent.futures.TimeoutError."""
        if waiting.wait([self], timeout).not_done:
            raise FutureTimeoutError(f"Job {self.id} is {self.state} after {timeout} s.")

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the job's end and return what its ``run`` returned, or raise what it raised.

        Raises Job.NoResult for a job that leaves neither, concurrent.futures.TimeoutError after ``timeout``
        seconds. Reading a result runs code of whoever made it: that of the application.
        """
        self.wait(timeout)
        return self._outcome()

    def result_nowait(self) -> Any:
        """Return or raise as `result` does; raises Job.NoResult when the job has not ended."""
        self.refresh_from_db()
        return self._outcome()

    def _outcome(self) -> Any:
        if self.state == JobState.JOB_FINISHED and self.serialized_return_value:
            return load(self.serialized_return_value)
        if self.state == JobState.FAILED and self.serialized_exception:
            raise load_exception(self.serialized_exception)
        if self.state == JobState.JOB_FINISHED:
            raise self.NoResult(f"Job {self.id} has finished; its application returns nothing to Python.")
        raise self.NoResult(f"Job {self.id} is {self.state}, and has no result.")


def _app_id(given: Any, site_name: str | None) -> int:
    """Return the id of an application given as id, name, ``module.Class``, object or class."""
    if isinstance(given, App):
        return given.id
    if isinstance(given, str):
        key = "class_path" if "." in given else "name"
        filters = {key: given, **({"site_name": site_name} if site_name else {})}
        return App.objects.get(**filters).id
    if isinstance(given, type):
        return _id_of_class(given)
    if isinstance(given, int):
        return given
    raise TypeError(f"app_id is {given!r}; give the id or the name of an application, or its class.")


def _id_of_class(given: type) -> int:
    found = getattr(given, "__app_id__", None)
    if found is None:
        raise ValueError(
            f"{given.__name__} is not known to its site yet: call {given.__name__}.sync() first."
        )
    return int(found)


class BatchJob(Model):
    """An allocation asked of a site's batch system."""

    _resource = RESOURCES["batch_job"]
    _positional = ("site_id",)

    id: int
    site_id: int
    num_nodes: int
    wall_time_min: int
    job_mode: str
    project: str
    queue: str
    optional_params: dict[str, str]
    filter_tags: dict[str, str]
    partitions: list[dict[str, Any]] | None
    scheduler_id: str | None
    state: str
    status_info: dict[str, str]
    start_time: datetime | None
    end_time: datetime | None

    objects: ClassVar[WritableManager["BatchJob"]]


class EventLog(Model):
    """One change of a job's state."""

    _resource = RESOURCES["event"]

    id: int
    job_id: int
    timestamp: datetime
    from_state: str
    to_state: str
    data: dict[str, Any]

    objects: ClassVar[Manager["EventLog"]]


Site.objects = WritableManager(Site, "name")
App.objects = WritableManager(App)
Job.objects = JobManager(Job)
BatchJob.objects = WritableManager(BatchJob)
EventLog.objects = Manager(EventLog)

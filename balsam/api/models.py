"""The objects of the Python API: sites, applications, jobs, batch jobs, events."""

from collections.abc import Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from balsam.api import waiting
from balsam.api.app_parameters import AppParameter, TransferSlot
from balsam.api.batch_jobs import BatchJob, BatchJobPartition, JobMode
from balsam.api.connection import client
from balsam.api.managers import ChangeableManager, Manager, WritableManager
from balsam.api.objects import Model
from balsam.api.queries import Query
from balsam.api.serializing import Loaded, load, load_exception, plain_or_serialized
from balsam.api.sessions import Session
from balsam.exceptions import NotFoundError, UsageError
from balsam.schemas.explanations import Explanation
from balsam.schemas.fields import Record
from balsam.schemas.resources import RESOURCES
from balsam.states import END_STATES, JobState

if TYPE_CHECKING:
    from balsam.api.application import ApplicationDefinition

__all__ = [
    "App",
    "BatchJob",
    "BatchJobPartition",
    "EventLog",
    "Job",
    "JobMode",
    "JobTransferItem",
    "Session",
    "Site",
    "TransferItem",
]


class Site(Model):
    """A directory where jobs run, on some machine."""

    _resource = RESOURCES["site"]
    _positional = ("name", "path")
    _paths = frozenset(("path",))

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
        if "path" in fields and not Path(fields["path"]).is_absolute():
            raise UsageError(f"The path of a site is {str(fields['path'])!r}; give the full path.")
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

    def _resolve(self, fields: dict[str, Any]) -> Record:
        for name in ("parameters", "transfers"):
            if isinstance(given := fields.get(name), Mapping):
                fields[name] = {key: _as_json(value) for key, value in given.items()}
        return fields


def _as_json(value: Any) -> Any:
    return asdict(value) if isinstance(value, AppParameter | TransferSlot) else value


@dataclass(frozen=True, slots=True)
class JobTransferItem:
    """What fills a transfer slot of a job: a path at one of the transfer locations of its site."""

    location_alias: str
    path: str


class JobManager(WritableManager["Job"]):
    """Queries over jobs, and waiting for them."""

    wait = staticmethod(waiting.wait)
    as_completed = staticmethod(waiting.as_completed)


class Job(Model):
    """One run of an application. ``app_id`` takes an id, a name, or an application class."""

    _resource = RESOURCES["job"]
    _positional = ("workdir", "app_id")
    #: The session that acquired it, until its run has ended.
    _session_id: int | None
    #: ``app_name`` and ``site_path`` are names of older scripts.
    _extra_keywords = ("site_name", "app_name", "site_path")
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
    state_data: dict[str, Any] | None
    state_timestamp: datetime | None
    pending_file_cleanup: bool
    serialized_parameters: str
    serialized_return_value: str
    serialized_exception: str

    objects: ClassVar[JobManager]

    class NoResult(NotFoundError):
        """The job has no result."""

    def _resolve(self, fields: dict[str, Any]) -> Record:
        named = {name: str(fields.pop(name, None) or "") for name in ("site_name", "site_path")}
        where: dict[str, Any] = {name: value for name, value in named.items() if value}
        if "app_name" in fields:
            fields["app_id"] = str(fields.pop("app_name"))
        if "app_id" in fields:
            fields["app_id"] = _app_id(fields["app_id"], where)
        if isinstance(parameters := fields.get("parameters"), Mapping):
            fields["parameters"], serialized = plain_or_serialized(parameters)
            fields.setdefault("serialized_parameters", serialized)
        if isinstance(transfers := fields.get("transfers"), Mapping):
            fields["transfers"] = {
                slot: asdict(where) if isinstance(where, JobTransferItem) else where
                for slot, where in transfers.items()
            }
        return fields

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the application."""
        values = self.__dict__["_values"]
        text: str = values.get("serialized_parameters") or ""
        if not text:
            plain: dict[str, Any] = values["parameters"]
            return plain
        known = self.__dict__.get("_loaded")
        if known is None or known.text != text:
            known = self.__dict__["_loaded"] = Loaded(text)
        return known.values

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

    def _settle(self) -> None:
        loaded: Loaded | None = self.__dict__.get("_loaded")
        text = self.__dict__["_values"].get("serialized_parameters")
        if loaded is not None and loaded.text == text and loaded.has_changed():
            self.set_parameters(loaded.values)

    def _patch(self) -> Record:
        patch = super()._patch()
        if "state" in patch and self.__dict__.get("_session_id"):
            patch["session_id"] = self.__dict__["_session_id"]
        return patch

    def _take(self, record: Record) -> None:
        before = self.__dict__.get("_sent") or {}
        super()._take(record)
        if self.state not in (JobState.RUNNING, before.get("state")):
            self.__dict__["_session_id"] = None

    @property
    def app(self) -> "type[ApplicationDefinition]":
        """A class for the application, as `ApplicationDefinition.load_by_id` makes it."""
        from balsam.api.application import ApplicationDefinition

        return ApplicationDefinition.load_by_id(self.app_id)

    def load_app(self) -> "type[ApplicationDefinition]":
        """Return a class for the application: older scripts call `app` so."""
        return self.app

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


def _app_id(given: Any, where: Mapping[str, Any]) -> int:
    """Return the id of an application given as id, name, ``module.Class``, object or class."""
    if isinstance(given, App):
        return given.id
    if isinstance(given, str):
        key = "class_path" if "." in given else "name"
        return App.objects.get(**{key: given}, **where).id
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


class TransferItem(Model):
    """A file or directory that is brought to a job, or taken from it.

    Its state may be set: pending tries it again, error cancels it, and fails its job.
    """

    _resource = RESOURCES["transfer"]

    id: int
    job_id: int
    slot: str
    direction: str
    local_path: str
    remote_path: str
    location_alias: str
    recursive: bool
    state: str
    task_id: str
    transfer_info: dict[str, Any]
    attempts: int
    last_update: datetime

    objects: ClassVar[ChangeableManager["TransferItem"]]


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
TransferItem.objects = ChangeableManager(TransferItem)
EventLog.objects = Manager(EventLog)

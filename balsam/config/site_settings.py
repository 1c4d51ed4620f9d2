"""`settings.yml` of a site: what its agent and its launchers do.

The file is only ever read after `balsam site init` has written it. What it leaves out is as the machine has
it that it names; a module that is ``null`` is switched off, and the optional ones are off where they are left
out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from balsam.config.machine_defaults import machine_defaults
from balsam.config.settings import UserSettings, user_settings
from balsam.config.site_machine import machine_values
from balsam.config.superseded import check_superseded
from balsam.config.typed_values import build
from balsam.config.yaml_file import InvalidSettings, YamlFile, read_yaml

__all__ = [
    "ElasticQueueSettings",
    "FileCleanerSettings",
    "InvalidSettings",
    "LauncherSettings",
    "LoggingSettings",
    "ProcessingSettings",
    "QueueLimit",
    "QueueMaintainerSettings",
    "SchedulerSettings",
    "Settings",
    "TransferSettings",
    "load_site_settings",
]

#: In the directory of a site.
SETTINGS_FILE = "settings.yml"
_MODES = ("mpi", "serial")


def _least(default: Any, least: float) -> Any:
    return field(default=default, metadata={"at_least": least})


def _mapping() -> Any:
    return field(default_factory=dict)


def _mode() -> Any:
    return field(default="mpi", metadata={"one_of": _MODES})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingSettings:
    """Logs of the agent and the launchers. Formats are those of Python's logging; '': Balsam's own."""

    level: str = "INFO"
    format: str = ""
    datefmt: str = ""
    #: Of older files; see `balsam.config.superseded`.
    buffer_num_records: int = _least(1024, 0)
    flush_period: float = _least(30, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherSettings:
    """Launchers of the site. ``auto``: as the machine has it."""

    #: Seconds without anything to do after which a launcher leaves.
    idle_ttl_sec: float = _least(60, 0)
    #: Lines of the output of a job that its error is told with.
    error_tail_num_lines: int = _least(10, 0)
    max_concurrent_mpiruns: int = _least(990, 1)
    compute_node: str = "auto"
    mpi_app_launcher: str = "auto"
    #: Whether runs of the MPI launcher share nodes.
    mpirun_allows_node_packing: bool = True
    #: None: jobs of many nodes first.
    sort_by: str | None = field(default=None, metadata={"one_of": ("long_large_first",)})
    #: Of older files; see `balsam.config.superseded`.
    local_app_launcher: str = "auto"
    delay_sec: float = _least(1, 0)
    serial_mode_prefetch_per_rank: int = _least(64, 1)
    serial_mode_startup_params: Mapping[str, str] = _mapping()


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimit:
    """What a queue takes: nodes and minutes of one batch job, and batch jobs at once."""

    max_nodes: int = _least(1, 1)
    max_queued_jobs: int = _least(1, 1)
    max_walltime: int = _least(60, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """The batch system; ``sync_period`` in seconds."""

    scheduler_class: str = "auto"
    sync_period: float = _least(10, 0.1)
    allowed_queues: Mapping[str, QueueLimit] = _mapping()
    #: None given: any.
    allowed_projects: tuple[str, ...] = ()
    #: Values for the job template, which a batch job may give others for.
    optional_batch_job_params: Mapping[str, str] = _mapping()
    #: Relative to the directory of the site.
    job_template_path: str = "job-template.sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingSettings:
    """Hooks and staging: how many at once."""

    num_workers: int = _least(5, 1)
    #: Of older files; see `balsam.config.superseded`.
    prefetch_depth: int = _least(1000, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSettings:
    """Where files may come from and go to: alias -> ``protocol://place``."""

    transfer_locations: Mapping[str, str] = _mapping()
    max_concurrent_transfers: int = _least(5, 1)
    globus_endpoint_id: str | None = None
    globus_endpoint_site_path: str | None = None
    transfer_batch_size: int = _least(1_000, 1)
    num_items_query_limit: int = _least(2000, 1)
    service_period: float = _least(5, 0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMaintainerSettings:
    """Keep so many batch jobs of one size in a queue; minutes, and ``submit_period`` in seconds."""

    submit_period: float = _least(60, 0.1)
    submit_project: str = "local"
    submit_queue: str = "local"
    job_mode: str = _mode()
    num_queued_jobs: int = _least(5, 1)
    num_nodes: int = _least(1, 1)
    wall_time_min: int = _least(1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticQueueSettings:
    """Ask for as many nodes as there is work for; minutes, and ``service_period`` in seconds."""

    service_period: float = _least(60, 0.1)
    submit_project: str = "local"
    submit_queue: str = "local"
    job_mode: str = _mode()
    min_wall_time_min: int = _least(35, 1)
    max_wall_time_min: int = _least(360, 1)
    wall_time_pad_min: int = _least(5, 0)
    min_num_nodes: int = _least(1, 1)
    max_num_nodes: int = _least(127, 1)
    max_queue_wait_time_min: int = _least(10, 1)
    max_queued_jobs: int = _least(20, 1)
    use_backfill: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCleanerSettings:
    """Delete the files that applications name in ``cleanup_files`` once a job has finished."""

    cleanup_batch_size: int = _least(180, 1)
    service_period: float = _least(30, 0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything in the file."""

    #: The machine whose nodes, MPI launcher and batch system these are; see docs/machines.md.
    machine: str = "auto"
    logging: LoggingSettings = field(default_factory=LoggingSettings)
    #: Only jobs with these tags are processed by the agent; launchers have the tags of their batch job.
    filter_tags: Mapping[str, str] = _mapping()
    launcher: LauncherSettings = field(default_factory=LauncherSettings)
    scheduler: SchedulerSettings | None = field(default_factory=SchedulerSettings)
    processing: ProcessingSettings | None = field(default_factory=ProcessingSettings)
    transfers: TransferSettings | None = field(default_factory=TransferSettings)
    queue_maintainer: QueueMaintainerSettings | None = None
    elastic_queue: ElasticQueueSettings | None = None
    file_cleaner: FileCleanerSettings | None = None

    def for_machine(self, site_path: Path) -> UserSettings:
        """Return the user's settings as they are at this site."""
        machine = self.machine
        of_machine: dict[str, Any] = machine_defaults(machine)
        base = replace(user_settings(), **{**of_machine, "MACHINE": machine})
        template = (self.scheduler or SchedulerSettings()).job_template_path
        named = {
            "SCHEDULER_CLASS": _short((self.scheduler or SchedulerSettings()).scheduler_class),
            "MPI_RUN_TEMPLATE": _short(self.launcher.mpi_app_launcher),
            "WORKER_DETECTION_TYPE": _short(self.launcher.compute_node),
        }
        chosen: dict[str, Any] = {name: value for name, value in named.items() if value != "auto"}
        base = replace(base, **chosen)
        return replace(
            base,
            JOB_TEMPLATE=str(site_path / template),
            MAX_CONCURRENT_MPIRUNS=self.launcher.max_concurrent_mpiruns,
            MPI_SHARES_NODES="yes" if self.launcher.mpirun_allows_node_packing else "no",
            JOB_ORDER=self.launcher.sort_by or "large_first",
            ERROR_TAIL_LINES=self.launcher.error_tail_num_lines,
            LOG_HANDLER_LEVEL=self.logging.level.upper(),
            LOG_FORMAT=self.logging.format or base.LOG_FORMAT,
            LOG_TIME_FORMAT=self.logging.datefmt or base.LOG_TIME_FORMAT,
        )


def load_site_settings(path: Path) -> Settings:
    """Read a settings file; raises InvalidSettings that names the file, the line and a close name."""
    found = read_yaml(path)
    machine = found.values.get("machine", "auto")
    if not isinstance(machine, str):
        raise found.error(("machine",), f"machine is {machine!r}, which is not a text")
    values: dict[str, Any] = dict(found.values)
    for section, defaults in machine_values(machine).items():
        given = values.get(section, {})
        if isinstance(given, Mapping):
            values[section] = {**defaults, **given}
    if values.get("filter_tags", {}) is None:
        values["filter_tags"] = {}
    settings: Settings = build(found, Settings, values)
    check_superseded(found, values)
    _check_limits(found, settings)
    return settings


def _check_limits(found: YamlFile, settings: Settings) -> None:
    """Raise InvalidSettings for what contradicts itself."""
    if settings.logging.level.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        raise found.error(("logging", "level"), f"logging.level is {settings.logging.level!r}, no level")
    elastic = settings.elastic_queue
    if elastic is None:
        return
    for lower, upper in (
        ("min_num_nodes", "max_num_nodes"),
        ("min_wall_time_min", "max_wall_time_min"),
    ):
        least, most = getattr(elastic, lower), getattr(elastic, upper)
        if least > most:
            raise found.error(
                ("elastic_queue", lower), f"{lower} {least} is more than {upper} {most}", "Exchange the two."
            )
    if elastic.wall_time_pad_min >= elastic.min_wall_time_min:
        raise found.error(
            ("elastic_queue", "wall_time_pad_min"),
            f"wall_time_pad_min {elastic.wall_time_pad_min} is not less than min_wall_time_min "
            f"{elastic.min_wall_time_min}",
        )


_OLD_SCHEDULERS = {"localprocess": "local"}


def _short(name: str) -> str:
    """Return a name of ours for a dotted class of an older file; ``auto`` where the machine knows better."""
    if "." not in name:
        return name
    last = name.rpartition(".")[2].lower()
    if not last.endswith("scheduler"):
        return "auto"
    word = last.removesuffix("scheduler")
    return _OLD_SCHEDULERS.get(word, word)

"""Batch jobs: allocations asked of a site's batch system."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from balsam.api.managers import WritableManager
from balsam.api.objects import Model
from balsam.exceptions import UsageError
from balsam.lib.tag_words import partition_words
from balsam.schemas.batch_limits import BatchLimits
from balsam.schemas.fields import Record
from balsam.schemas.resources import RESOURCES

__all__ = ["BatchJob", "BatchJobPartition", "JobMode"]


class JobMode(StrEnum):
    """How a launcher starts its jobs."""

    #: Each by the MPI launcher, on one node or several.
    MPI = "mpi"
    #: By a worker on each node; jobs of one rank.
    SERIAL = "serial"


@dataclass(frozen=True, slots=True)
class BatchJobPartition:
    """A part of the nodes of a batch job, whose launcher has a mode and tags of its own."""

    job_mode: JobMode
    num_nodes: int
    filter_tags: dict[str, str] = field(default_factory=dict)


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
    scheduler_id: str | None
    state: str
    status_info: dict[str, str]
    start_time: datetime | None
    end_time: datetime | None

    objects: ClassVar[WritableManager["BatchJob"]]

    def _resolve(self, fields: dict[str, Any]) -> Record:
        if fields.get("partitions"):
            fields["partitions"] = [_as_record(part) for part in fields["partitions"]]
        return fields

    @property
    def partitions(self) -> list[BatchJobPartition] | None:
        """How its nodes are divided; None where one launcher has them all."""
        values = self.__dict__["_values"].get("partitions")
        return None if values is None else [_as_partition(part) for part in values]

    def partitions_to_cli_args(self) -> str:
        """Return the options of a launcher that divide its nodes so: ``--part mpi:2:role=leader``."""
        return partition_words(self.__dict__["_values"].get("partitions") or [])

    def validate(
        self,
        allowed_queues: Mapping[str, Mapping[str, int]],
        allowed_projects: Sequence[str],
        optional_batch_job_params: Mapping[str, str],
    ) -> None:
        """Raise UsageError for what a site does not allow, as saving it does; see `BatchLimits`."""
        limits = BatchLimits(
            allowed_queues=allowed_queues,
            allowed_projects=allowed_projects,
            optional_batch_job_params=optional_batch_job_params,
        )
        if problem := limits.refusal(self):
            raise UsageError(problem)


def _as_partition(part: Mapping[str, Any]) -> BatchJobPartition:
    tags = dict(part.get("filter_tags") or {})
    return BatchJobPartition(JobMode(part["job_mode"]), part["num_nodes"], tags)


def _as_record(part: Any) -> Any:
    return asdict(part) if isinstance(part, BatchJobPartition) else part


BatchJob.objects = WritableManager(BatchJob)

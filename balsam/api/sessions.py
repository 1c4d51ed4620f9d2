"""Sessions: leases under which a program of one's own takes jobs, as launchers do."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from balsam.api.connection import client
from balsam.api.managers import WritableManager
from balsam.api.objects import Model
from balsam.exceptions import NotFoundError
from balsam.schemas.acquisition import AcquireRequest
from balsam.schemas.resources import RESOURCES
from balsam.states import RUNNABLE_STATES

if TYPE_CHECKING:
    from balsam.api.models import Job

__all__ = ["Session"]


class Session(Model):
    """A lease at a site: jobs that were acquired are nobody else's until they are let go, or it ends.

    It ends when it is deleted, when it is not heard of for some minutes (``tick`` at least every minute), or
    with the batch job it was made for. What then still runs in it is to be run again.
    """

    _resource = RESOURCES["session"]
    _positional = ("site_id",)

    id: int
    site_id: int
    batch_job_id: int | None
    heartbeat: datetime

    objects: ClassVar[WritableManager["Session"]]

    def acquire_jobs(
        self,
        max_num_jobs: int,
        max_wall_time_min: int | None = None,
        max_nodes_per_job: int | None = None,
        max_aggregate_nodes: float | None = None,
        serial_only: bool = False,
        sort_by: str | None = None,
        filter_tags: Mapping[str, str] | None = None,
        states: Collection[str] = RUNNABLE_STATES,
        app_ids: Collection[int] = (),
    ) -> "list[Job]":
        """Take jobs of the site that are free and in one of these states, best first; their state stays.

        With ``max_aggregate_nodes`` these are the first whose nodes (parts of a node, where they share one)
        do not add up to more: small ones first, or with ``sort_by="long_large_first"`` the long and large
        ones. The jobs remember the session: what is saved of their runs is refused when they are not its own
        any more. Also renews the lease. Raises Session.DoesNotExist when the session has ended.
        """
        from balsam.api.models import Job

        request = AcquireRequest(
            max_num_jobs=max_num_jobs,
            max_wall_time_min=max_wall_time_min,
            max_nodes_per_job=max_nodes_per_job,
            max_aggregate_nodes=max_aggregate_nodes,
            serial_only=serial_only,
            sort_by=sort_by,
            filter_tags=dict(filter_tags or {}),
            states=[str(state) for state in states],
            app_ids=list(app_ids),
        )
        records = self._ask(lambda: client().acquire_jobs(self.id, request))
        jobs = [Job._from_record(record) for record in records]
        for job in jobs:
            job._session_id = self.id
        return jobs

    def tick(self) -> None:
        """Renew the lease; raises Session.DoesNotExist when it has ended."""
        self._ask(lambda: client().tick(self.id))

    def _ask(self, call: Any) -> Any:
        self._require_saved()
        try:
            return call()
        except NotFoundError as error:
            raise self.DoesNotExist(str(error)) from error


Session.objects = WritableManager(Session)

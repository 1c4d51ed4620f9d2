"""Claiming jobs from a script: the `BalsamJob.source` manager.

A process that acquires jobs gets a session of its own, so its locks are leases like a launcher's.
"""

import os
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.db import models

from balsam.core import sql
from balsam.core.models.query import JobQuerySet
from balsam.lib.processes import this_process
from balsam.states import RUNNABLE_STATES

if TYPE_CHECKING:
    from balsam.core.models.job import BalsamJob


_GIVEN_BACK = "Given back by the script that held it"


class SourceManager(models.Manager.from_queryset(JobQuerySet)):  # type: ignore[misc]
    """Jobs that are free or held by this process, of workflows that contain ``workflow``.

    A process holds jobs by a lease of three minutes, which `start_tick` renews until the process ends.
    """

    use_in_migrations = False

    def __init__(self, workflow: str = "") -> None:
        super().__init__()
        self.workflow = workflow
        self._session: tuple[int, int] | None = None

    def get_queryset(self) -> JobQuerySet:
        """Free jobs and this process's own."""
        jobs: JobQuerySet = super().get_queryset()
        mine = self._session[1] if self._session and self._session[0] == os.getpid() else None
        jobs = (
            jobs.filter(models.Q(session=None) | models.Q(session=mine))
            if mine
            else jobs.filter(session=None)
        )
        return jobs.filter(workflow__contains=self.workflow) if self.workflow else jobs

    @property
    def lock_str(self) -> str:
        """What jobs held by this process show as their lock: ``host:pid``."""
        me = this_process()
        return f"{me.host}:{me.pid}"

    def by_states(self, states: str | Iterable[str] | Mapping[str, Any]) -> JobQuerySet:
        """Jobs in one of these states."""
        wanted = [states] if isinstance(states, str) else list(states)
        jobs: JobQuerySet = self.get_queryset().filter(state__in=wanted)
        return jobs

    def get_runnable(
        self,
        *,
        max_nodes: int,
        remaining_minutes: float | None = None,
        mpi_only: bool = False,
        serial_only: bool = False,
        order_by: str | Iterable[str] | None = None,
    ) -> JobQuerySet:
        """Free runnable jobs that fit; raises ValueError for impossible bounds."""
        if mpi_only and serial_only:
            raise ValueError("mpi_only and serial_only exclude each other.")
        if max_nodes < 1 or (serial_only and max_nodes != 1):
            raise ValueError(f"max_nodes is {max_nodes}; it must be 1 or more, and 1 with serial_only.")
        jobs: JobQuerySet = self.get_queryset().filter(
            session=None, state__in=RUNNABLE_STATES, num_nodes__lte=max_nodes
        )
        if remaining_minutes is not None:
            jobs = jobs.filter(wall_time_minutes__lte=remaining_minutes)
        if serial_only:
            jobs = jobs.filter(num_nodes=1, ranks_per_node=1)
        if mpi_only:
            jobs = jobs.filter(models.Q(num_nodes__gt=1) | models.Q(ranks_per_node__gt=1))
        if order_by is not None:
            jobs = jobs.order_by(*([order_by] if isinstance(order_by, str) else order_by))
        return jobs

    def acquire(self, pks: "Iterable[uuid.UUID | BalsamJob]") -> list[uuid.UUID]:
        """Take free jobs for this process; return the ids of those really obtained."""
        wanted = [str(getattr(pk, "pk", pk)) for pk in pks]
        got = sql.fetch("acquire_jobs", ids=wanted, session_id=self._own_session())
        return [uuid.UUID(str(job_id)) for (job_id,) in got]

    def release(self, pks: "Iterable[uuid.UUID | BalsamJob]") -> None:
        """Give jobs of this process back; running ones are to be restarted."""
        from balsam.core import leases

        wanted = {str(getattr(pk, "pk", pk)) for pk in pks}
        session = self._own_session()
        held = map(str, self.model.objects.filter(session=session).job_ids())
        leases.reconcile(session, [pk for pk in held if pk not in wanted], _GIVEN_BACK)

    def release_all_owned(self) -> None:
        """Give back everything this process holds."""
        from balsam.core import leases

        leases.reconcile(self._own_session(), [], _GIVEN_BACK)

    def start_tick(self) -> None:
        """Renew this process's lease in the background until it exits."""
        from balsam.core.ticking import tick_in_background

        tick_in_background(self._own_session())

    def clear_stale_locks(self) -> int:
        """Free the jobs of owners whose lease is over; return how many."""
        from balsam.core import leases

        return leases.reap_expired()

    def check_qLaunch(self) -> None:
        """Accepted for old scripts: any launcher runs any eligible job, so there is nothing to check."""

    def _own_session(self) -> int:
        """Return the session of this process, opening it at first use and again after a fork."""
        from balsam.core import leases
        from balsam.schemas.sessions import SessionRequest

        if self._session is None or self._session[0] != os.getpid() or leases.has_ended(self._session[1]):
            me = this_process()
            request = SessionRequest(
                kind="script", host=me.host, boot_id=me.boot_id, pid=me.pid, start_time=me.start_time
            )
            self._session = (me.pid, leases.open_session(request).session_id)
        return self._session[1]


def safe_select(queryset: JobQuerySet) -> list["BalsamJob"]:
    """Lock the rows of a query in the order of their ids and return them; call inside a transaction."""
    return list(queryset.order_by("job_id").select_for_update())

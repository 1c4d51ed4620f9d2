"""Claim jobs for the workers, within the bounds of this launcher: its nodes, its mode, the time left."""

import time

from balsam.launcher.core_link import CoreLink
from balsam.launcher.crew import Crew, CrewMember
from balsam.launcher.ledger import Ledger
from balsam.launcher.options import LauncherOptions
from balsam.schemas.jobs import JobSpec
from balsam.schemas.sessions import ClaimRequest, Outlook, OutlookRequest

__all__ = ["Feeder"]

#: A worker that starts nothing of what it has for so long gives it back to others.
_HOARD_SEC = 5.0
_MAX_CLAIM = 1000
_SLACK_SEC = 5.0


class Feeder:
    """Keeps the workers of one session in work."""

    def __init__(self, options: LauncherOptions, core: CoreLink, ledger: Ledger, num_nodes: int) -> None:
        self.session_id = 0
        #: There may be something to claim; cleared when a claim got less than it asked for.
        self.may_be_work = True
        #: Nothing more is to be started.
        self.is_closed = False
        self._options = options
        self._core = core
        self._ledger = ledger
        self._num_nodes = num_nodes
        self._started_at = time.monotonic()

    def time_left_sec(self) -> float | None:
        """Seconds until the launcher must stop; None for no limit."""
        if self._options.time_limit_min is None:
            return None
        return self._options.time_limit_min * 60 - (time.monotonic() - self._started_at)

    def time_for_jobs_sec(self) -> float | None:
        """How long a job that starts now may be expected to run; None for no bound.

        With a little slack, so that a launcher with a limit of one minute starts jobs of one minute.
        """
        left_sec = self.time_left_sec()
        return None if left_sec is None or self._options.start_unfit else left_sec + _SLACK_SEC

    def _longest_job_min(self) -> float | None:
        left_sec = self.time_for_jobs_sec()
        return None if left_sec is None else left_sec / 60

    async def feed(self, crew: Crew) -> None:
        """Claim for each worker what it wants, and take back what it cannot start for now."""
        for member in crew.members:
            now = time.monotonic()
            queued = self._ledger.queued(member.worker_id)
            if queued and now - member.last_progress > _HOARD_SEC:
                member.give_back()
                member.pacing.is_blocked = True
                member.last_progress = now
            is_idle = not self._ledger.holds_for(member.worker_id)
            if is_idle:
                member.pacing.is_blocked = False
            is_starved = member.is_starved or is_idle
            wanted = member.pacing.wanted(queued, is_starved, now) if self.may_be_work else 0
            if wanted:
                await self._claim(member, min(wanted, _MAX_CLAIM))

    async def _claim(self, member: CrewMember, limit: int) -> None:
        request = ClaimRequest(
            session_id=self.session_id,
            limit=limit,
            workflow=self._options.workflow,
            max_nodes=len(member.nodes),
            max_wall_time_min=self._longest_job_min(),
            serial_only=self._options.is_serial,
            exclude=tuple(self._ledger.unplaceable),
        )
        specs = await self._core.run(lambda: self._core.client.claim(request))
        if len(specs) < limit:
            self.may_be_work = False
        member.last_progress = time.monotonic()
        self._hand_over(member, specs)

    def _hand_over(self, member: CrewMember, specs: list[JobSpec]) -> None:
        for spec in specs:
            if spec.problem:
                self._ledger.refuse(spec, spec.problem, time.monotonic())
        good = [spec for spec in specs if not spec.problem]
        self._ledger.assign(good, member.worker_id)
        if self.is_closed:  # told to stop while the claim was under way
            for spec in good:
                self._ledger.give_back(spec.job_id, spec.attempt, "", is_hopeless=False)
        elif good:
            member.is_starved = False
            member.run(good)

    async def outlook(self) -> Outlook:
        """Ask what is left that this launcher could do."""
        request = OutlookRequest(
            session_id=self.session_id,
            workflow=self._options.workflow,
            max_nodes=self._num_nodes,
            max_wall_time_min=self._longest_job_min(),
            serial_only=self._options.is_serial,
            exclude=tuple(self._ledger.unplaceable),
        )
        return await self._core.run(lambda: self._core.client.outlook(request))

"""Claim jobs for the workers, within the bounds of this launcher: its nodes, its mode, the time left."""

import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from balsam.launcher.app_codes import AppCodes
from balsam.launcher.core_link import CoreLink
from balsam.launcher.crew import Crew, CrewMember
from balsam.launcher.ledger import Ledger
from balsam.launcher.options import LauncherOptions
from balsam.schemas.jobs import JobSpec
from balsam.schemas.sessions import ClaimRequest, Outlook, OutlookRequest

__all__ = ["Feeder", "deal"]

#: A worker that starts nothing of what it has for so long gives it back to others.
_HOARD_SEC = 5.0
_MAX_CLAIM = 1000
_SLACK_SEC = 5.0


class Feeder:
    """Keeps the workers of one session in work."""

    def __init__(self, options: LauncherOptions, core: CoreLink, ledger: Ledger) -> None:
        self.session_id = 0
        #: There may be something to claim; cleared when a claim got less than it asked for.
        self.may_be_work = True
        #: Nothing more is to be started.
        self.is_closed = False
        self._options = options
        self._core = core
        self._apps = AppCodes(core.client)
        self._ledger = ledger
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
        """Claim what the workers want, and take back what they cannot start for now."""
        wanting = [(member, wanted) for member in crew.members if (wanted := self._wanted_by(member))]
        if not wanting:
            return
        specs = await self._claim(sum(wanted for _, wanted in wanting), len(wanting[0][0].nodes))
        for member, share in deal(specs, wanting):
            self._hand_over(member, share, is_here=member in crew.members)

    def share(self, crew: Crew, newcomer: CrewMember) -> None:
        """Let a new worker have its part: what the others have not started is dealt out again."""
        for member in crew.members:
            if member is not newcomer and self._ledger.queued(member.worker_id):
                member.give_back()

    def _wanted_by(self, member: CrewMember) -> int:
        """Return how many more jobs a worker should get; ask for those back that it has had too long."""
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
        return member.pacing.wanted(queued, is_starved, now) if self.may_be_work else 0

    async def _claim(self, wanted: int, max_nodes: int) -> list[JobSpec]:
        """Claim jobs of at most so many nodes; those that can only fail are refused at once."""
        parallel_left = self._parallel_starts_left()
        limit = min(wanted, _MAX_CLAIM, parallel_left or _MAX_CLAIM)
        bounds = self._bounds(max_nodes)
        request = ClaimRequest(
            session_id=self.session_id, limit=limit, order=self._options.job_order, **bounds
        )
        specs = await self._core.run(lambda: self._core.client.claim(request))
        if len(specs) < limit:
            self.may_be_work = False
        for spec in specs:
            if spec.problem:
                self._ledger.refuse(spec, spec.problem, time.monotonic())
        if any(spec.app_id for spec in specs):
            await self._core.run(lambda: self._apps.fetch(specs))
        return [spec for spec in specs if not spec.problem]

    def _parallel_starts_left(self) -> int:
        """How many more jobs of several ranks may be taken."""
        cap = self._options.max_parallel_starts
        return max(0, cap - self._ledger.parallel_in_all()) if cap else _MAX_CLAIM

    @property
    def why_no_more_parallel(self) -> str:
        """Say why no job of several ranks is taken any more; '' while they are."""
        cap = self._options.max_parallel_starts
        if not cap or self._ledger.parallel_starts < cap:
            return ""
        return f"{cap} of them were started, all that MAX_MPI_LAUNCHES_PER_ALLOCATION allows"

    def _hand_over(self, member: CrewMember, specs: list[JobSpec], *, is_here: bool) -> None:
        member.last_progress = time.monotonic()
        self._ledger.assign(specs, member.worker_id)
        if self.is_closed or not is_here:  # told to stop, or the worker died, while the claim was under way
            for spec in specs:
                self._ledger.give_back(spec.job_id, spec.attempt, "", is_hopeless=False)
        elif specs:
            member.is_starved = False
            member.learn(self._apps.of(specs))
            member.run(specs)

    async def outlook(self, num_nodes: int) -> Outlook:
        """Ask what is left that this launcher could do on so many nodes."""
        request = OutlookRequest(session_id=self.session_id, **self._bounds(num_nodes))
        return await self._core.run(lambda: self._core.client.outlook(request))

    def _bounds(self, max_nodes: int) -> dict[str, Any]:
        """Return what this launcher can run, as the fields of `ClaimBounds`."""
        return {
            "workflow": self._options.workflow,
            "site_id": self._options.site_id,
            "tags": self._options.tags,
            "max_nodes": max_nodes,
            "max_wall_time_min": self._longest_job_min(),
            "serial_only": self._options.is_serial or not self._parallel_starts_left(),
            "exclude": tuple(self._ledger.unplaceable),
        }


def deal(
    specs: list[JobSpec], wanting: list[tuple[CrewMember, int]]
) -> Iterable[tuple[CrewMember, list[JobSpec]]]:
    """Deal jobs out in turn, to each worker at most what it wants: so few of them run on many nodes."""
    if len(wanting) == 1:
        return [(wanting[0][0], specs)]
    shares: list[list[JobSpec]] = [[] for _ in wanting]
    turns = deque((wanted, share) for (_, wanted), share in zip(wanting, shares, strict=True))
    for spec in specs:
        wanted, share = turns.popleft()
        share.append(spec)
        if wanted > 1:
            turns.append((wanted - 1, share))
    return [(member, share) for (member, _), share in zip(wanting, shares, strict=True)]

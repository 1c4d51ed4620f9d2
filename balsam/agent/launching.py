"""The loop that plans launches and submits them."""

import logging
import time
from collections.abc import Callable, Sequence

from balsam.agent.health import Board
from balsam.agent.patience import Patience
from balsam.agent.planning import Plan, make_plan
from balsam.agent.policy_watch import PolicyWatch
from balsam.agent.settling import Settling
from balsam.agent.shapes import Work
from balsam.agent.sync import SchedulerSync
from balsam.agent.vain_launches import VainLaunches
from balsam.agent.waiting_for import queue_rows, waiting_for
from balsam.batch import Desk, checked, submit
from balsam.client import Client
from balsam.exceptions import BalsamError
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobRequest, DemandRequest
from balsam.states import BatchJobState

__all__ = ["Launching"]

logger = logging.getLogger(__name__)

_PERIOD_SEC = 60.0
_SPACING_SEC = 2.0
#: Counting the work of a large database takes a while: it is done no more often than this times as long.
_COST_FACTOR = 20.0
#: What is known of the scheduler is no older when something is submitted.
_FRESH_SEC = 5.0
#: Submitted in one cycle, before everything is looked at again.
_MOST_AT_ONCE = 10


class Launching:
    """Sees to it that there are launches for the work there is, as far as the policy lets it."""

    name = "launches"
    spacing_sec = _SPACING_SEC

    def __init__(
        self,
        client: Client,
        open_desk: Callable[[], Desk],
        sync: SchedulerSync,
        policy_watch: PolicyWatch,
        board: Board,
    ) -> None:
        self._client = client
        self._open_desk = open_desk
        self._sync = sync
        self._policy_watch = policy_watch
        self._board = board
        self._patience = Patience()
        self._vain = VainLaunches(client, self._patience)
        self._settling = Settling()
        self._told_unfit: Sequence[str] = ()
        self._is_stopped = False

    def cycle(self) -> float:
        """Finish what others have begun to submit, then plan and submit."""
        desk = self._open_desk()
        self._finish_intents(desk)
        work = self._work()
        pause_sec = self._settling.pause_sec(work)
        if work.num_ready and pause_sec:
            return pause_sec
        if work.num_ready:
            self._sync.be_fresh(_FRESH_SEC)
        plan = self._plan(desk, work)
        for request in plan.requests[:_MOST_AT_ONCE]:
            if self._is_stopped:
                break
            self._submit(desk, request)
        if plan.requests:
            return 0.0
        return min(_PERIOD_SEC, self._patience.next_change_sec() or _PERIOD_SEC)

    def _work(self) -> Work:
        began = time.monotonic()
        work = Work.of(self._client.demand(DemandRequest()))
        self.spacing_sec = max(_SPACING_SEC, _COST_FACTOR * (time.monotonic() - began))
        return work

    def interrupt(self) -> None:
        """Submit nothing more."""
        self._is_stopped = True

    def close(self) -> None:
        """Nothing is held."""

    def _finish_intents(self, desk: Desk) -> None:
        """Submit what was intended and never submitted: a submitter may have died, or nobody knows."""
        for info in self._client.batch_jobs():
            if info.state is not BatchJobState.PENDING_SUBMISSION or not desk.is_ours(info):
                continue
            if info.submit_began is None and info.age_sec(info.created) < 2 * _FRESH_SEC:
                continue  # its submitter is about it
            self._finish(desk, info)

    def _finish(self, desk: Desk, info: BatchJobInfo) -> None:
        try:
            after = submit(desk, info.batch_job_id)
        except BalsamError as error:
            logger.warning("Batch job %d cannot be submitted: %s", info.batch_job_id, error)
            return
        if after.state is not BatchJobState.PENDING_SUBMISSION:
            logger.info("Batch job %d: %s", info.batch_job_id, _outcome(after))

    def _plan(self, desk: Desk, work: Work) -> Plan:
        live = [info for info in self._client.batch_jobs() if desk.is_ours(info)]
        self._vain.look(live)
        policy = self._policy_watch.policy
        filters = {info.workflow for info in live if info.workflow}
        plan = make_plan(
            work,
            policy.queues,
            live,
            scheduler=desk.adapter.name,
            project=desk.settings.DEFAULT_PROJECT,
            held_back=self._patience.held_back(),
            work_of={name: Work.of(self._client.demand(DemandRequest(workflow=name))) for name in filters},
        )
        if plan.unfit != self._told_unfit:
            for line in plan.unfit:
                logger.warning("No launch is submitted for %s", line)
            self._told_unfit = plan.unfit
        self._board.say(queues=queue_rows(plan), unfit=list(plan.unfit), waits_for=waiting_for(work, plan))
        return plan

    def _submit(self, desk: Desk, request: BatchJobRequest) -> None:
        began = time.monotonic()
        intent = self._client.intend_batch_job(checked(request))
        self._vain.watch(intent)
        shape = f"{request.num_nodes} nodes for {request.wall_time_min} min, {request.job_mode} mode"
        logger.info("Submitting batch job %d to %s: %s", intent.batch_job_id, request.queue, shape)
        info = submit(desk, intent.batch_job_id)
        took_sec = time.monotonic() - began
        logger.info("Batch job %d: %s (%.1f s)", info.batch_job_id, _outcome(info), took_sec)


def _outcome(info: BatchJobInfo) -> str:
    """Say what became of a submission."""
    if info.state is BatchJobState.PENDING_SUBMISSION:
        return f"nobody knows whether the scheduler has taken it; {info.marker} is looked for ({info.reason})"
    if info.state is BatchJobState.SUBMIT_FAILED:
        return f"refused: {info.reason}"
    return f"the scheduler has it as {info.scheduler_id} ({info.command})"

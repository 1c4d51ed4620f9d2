"""Take in what workers say of their jobs: into the ledger, the tally and the log."""

import logging
import time

from balsam.launcher.channel import Message
from balsam.launcher.crew_member import CrewMember
from balsam.launcher.ledger import Ending, Ledger
from balsam.launcher.tally import Tally
from balsam.lib.file_end import last_lines

__all__ = ["JobNews"]

logger = logging.getLogger(__name__)


class JobNews:
    """The books of one launcher, as its workers write them."""

    def __init__(self, ledger: Ledger, tally: Tally, tail_lines: int) -> None:
        self._tail_lines = tail_lines
        self._ledger = ledger
        self._tally = tally
        #: Why the launcher is stopping its jobs, or ''.
        self.stopping = ""

    def take(self, member: CrewMember, message: Message) -> None:
        """Note starts, ends and returns."""
        now = time.monotonic()
        log: list[str] = []
        self._note_starts(message, now, log)
        self._note_ends(member, message, now, log)
        if log:
            logger.info("%s", "\n".join(log))  # one record: the log is on the hot path
        for job_id, attempt, reason in message["returned"]:
            self._ledger.give_back(job_id, attempt, reason, is_hopeless=bool(reason))
            if reason:
                logger.warning("cannot place %s here: %s", job_id, reason)
        self._tally.running = self._ledger.running
        member.note_progress(
            len(message["started"]), len(message["ended"]), now, is_starved=message["starved"]
        )

    def take_outcomes(self, message: Message) -> None:
        """Note what Python applications have left; their ends are told later."""
        for job_id, attempt, *outcome in message["jobs"]:
            self._ledger.keep_outcome(job_id, attempt, (outcome[0], outcome[1]))

    def lose(self, member: CrewMember, cause: str) -> None:
        """Hand back what a worker had that is gone unasked."""
        reason = f"Worker {member.name} has died: {cause}"
        jobs = self._ledger.lose_worker(member.worker_id, reason, time.monotonic())
        self._tally.running = self._ledger.running
        logger.error("%s; its %d jobs go back", reason, len(jobs))

    def lose_jobs(self, message: Message) -> None:
        """Hand back jobs that are gone with their nodes."""
        now = time.monotonic()
        for job_id, attempt, reason in message["jobs"]:
            if self._ledger.lose_job(job_id, attempt, reason, now):
                logger.error("%s goes back: %s", job_id, reason)
        self._tally.running = self._ledger.running

    def return_rest(self, members: list[CrewMember]) -> None:
        """After the workers have gone: what they never told the end of is to be restarted."""
        for member in members:
            rest = self._ledger.lose_worker(member.worker_id, self.stopping, time.monotonic())
            self._tally.cut_short += sum(job.is_started for job in rest)

    def _note_starts(self, message: Message, now: float, log: list[str]) -> None:
        for job_id, attempt, age_sec, where in message["started"]:
            job = self._ledger.start(job_id, attempt, now - age_sec)
            if job is not None:
                log.append(
                    f"started {job_id} [{job.spec.name}] attempt {attempt} on {where}: {job.spec.command}"
                )

    def _note_ends(self, member: CrewMember, message: Message, now: float, log: list[str]) -> None:
        stopped = self.stopping
        if message["stopping"] and not stopped:  # a scheduler that ends a batch job tells all its processes
            stopped = f"Worker {member.name} was told to end by a signal"
        for job_id, attempt, code, age_sec, end_of_output in message["ended"]:
            tail = last_lines(end_of_output, self._tail_lines)
            job = self._ledger.end(Ending(job_id, attempt, code, tail), now - age_sec, stopped=stopped)
            if job is not None and job.is_lost:
                self._tally.taken_away += 1
            elif job is not None and stopped and code:
                self._tally.cut_short += 1
            if code != 0:
                log.append(f"ended {job_id} attempt {attempt} with code {code}: {tail}")

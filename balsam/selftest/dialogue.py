"""Ask a batch system through its adapter, and wait for what it is to say; a `Failure` says what went wrong.

Guards that no batch job is left behind: all that may have been taken is looked for, and cancelled.
"""

import secrets
import shlex
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from balsam.lib.commands import run_command
from balsam.platform.scheduler import (
    Cancellation,
    Listing,
    PastBatchJob,
    QueuedBatchJob,
    SchedulerAdapter,
    Submission,
    SubmitRequest,
)
from balsam.states import BatchJobEnd, BatchJobState

__all__ = ["Dialogue", "Failure"]

T = TypeVar("T")
#: Pauses between two questions grow, as a scheduler may serve thousands of users.
_PAUSE_SEC = 0.2
_LONGEST_PAUSE_SEC = 10.0
#: Time of the last look for what may have been left.
_CLEAN_UP_SEC = 60.0
#: Tells of its environment, and stays until it is told to go.
_SCRIPT = """#!/bin/bash
cd {directory} || exit 1
env > {name}.part && mv {name}.part {name}.env
for _ in $(seq 1200); do
    [ -e {name}.go ] && exit 0
    sleep 0.25
done
exit 1
"""


class Failure(Exception):
    """A check failed: the words of the batch system, and what to do."""

    def __init__(self, words: str, advice: str) -> None:
        super().__init__(words)
        self.advice = advice


class Dialogue:
    """Batch jobs of a marker of their own, asked for in ``directory``, which the nodes have to see too."""

    def __init__(
        self, adapter: SchedulerAdapter, directory: Path, *, user: str, queue: str, project: str,
        patience_sec: float,
    ) -> None:  # fmt: skip
        self.adapter = adapter
        self._directory = directory
        self._user = user
        self._queue = queue
        self._project = project
        self._patience_sec = patience_sec
        self._began = datetime.now(UTC) - timedelta(minutes=1)
        self._marker = f"bst{secrets.token_hex(3)}"

    def path(self, letter: str, ending: str) -> Path:
        """Name a file of the batch job of that letter: ``env`` it writes, ``go`` ends it."""
        return self._directory / f"{self.name(letter)}.{ending}"

    def name(self, letter: str) -> str:
        """Return the name under which the batch job of that letter is submitted."""
        return f"{self._marker}{letter}"

    def submit(self, letter: str, queue: str | None = None) -> tuple[Submission, str]:
        """Ask for a batch job; return what was answered, read and in the command's own words."""
        script = self.path(letter, "sh")
        text = _SCRIPT.format(directory=shlex.quote(str(self._directory)), name=self.name(letter))
        script.write_text(text, encoding="utf-8")
        script.chmod(0o700)
        request = SubmitRequest(
            script=script,
            name=self.name(letter),
            project=self._project,
            queue=self._queue if queue is None else queue,
            num_nodes=1,
            wall_time_min=5,
            cwd=self._directory,
            output=script.with_suffix(""),
        )
        answer = run_command(self.adapter.submit_command(request))
        return self.adapter.parse_submit(answer), answer.words

    def submitted(self, letter: str) -> str:
        """Ask for a batch job; return its id."""
        submission, words = self.submit(letter)
        if not submission.scheduler_id:
            advice = "Give a --queue and a --project that take a batch job of one node for 5 minutes."
            raise Failure(submission.refused or words, advice)
        return submission.scheduler_id

    def listing(self) -> Listing:
        """Return the batch jobs of the user."""
        answer = run_command(self.adapter.status_command(self._user))
        listing = self.adapter.parse_status(answer, self._user)
        if not listing.is_complete:
            advice = f"Is {self.adapter.probe} on PATH, and does it answer at once?"
            raise Failure(listing.problem or answer.words, advice)
        return listing

    def listed(self, number: str) -> QueuedBatchJob:
        """Wait until a batch job is listed."""
        advice = "The id may be written in another way in the listing, or the listing be of somebody else."
        return self.wait(lambda: self.listing().jobs.get(number), f"{number} is not listed", advice)

    def running(self, number: str) -> QueuedBatchJob:
        """Wait until a batch job runs."""

        def runs() -> QueuedBatchJob | None:
            job = self.listing().jobs.get(number)
            return job if job is not None and job.state is BatchJobState.RUNNING else None

        advice = "It may wait for nodes: give a --queue for tests, or more time with --wait."
        return self.wait(runs, f"{number} does not run", advice)

    def ended(self, number: str) -> tuple[BatchJobEnd, str]:
        """Wait for the end of a batch job; return how it ended, and the native state."""
        if self.adapter.keeps_history:
            past = self.wait(lambda: self._past(number), f"nothing says how {number} ended", _NO_HISTORY)
            return past.end or BatchJobEnd.UNKNOWN, past.native_state
        self.wait(lambda: self._is_gone(number), f"{number} is still listed", "Cancel it by hand.")
        return BatchJobEnd.UNKNOWN, "not listed any more; this batch system keeps no account"

    def cancel(self, number: str) -> tuple[Cancellation, str]:
        """Cancel a batch job; return what was done, read and in the command's own words."""
        answer = run_command(self.adapter.cancel_command(number))
        return self.adapter.parse_cancel(answer), answer.words

    def leave_nothing(self) -> list[str]:
        """Cancel what there is of this marker, for a minute; return the ids that are still there then."""
        left: list[str] = []

        def is_clean() -> bool:
            nonlocal left
            left = [number for number, job in self.listing().jobs.items() if self._is_mine(job)]
            for number in left:
                self.cancel(number)
            return not left

        try:
            self.wait(is_clean, "", "", patience_sec=_CLEAN_UP_SEC)
        except Failure:
            return left or ["unknown"]
        return []

    def wait(
        self, condition: Callable[[], T | None], words: str, advice: str, patience_sec: float | None = None
    ) -> T:
        """Ask until there is an answer; raises Failure with these words when there is none in time."""
        until = time.monotonic() + (self._patience_sec if patience_sec is None else patience_sec)
        pause_sec = _PAUSE_SEC
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() >= until:
                raise Failure(words, advice)
            time.sleep(pause_sec)
            pause_sec = min(pause_sec * 1.5, _LONGEST_PAUSE_SEC)

    def _past(self, number: str) -> PastBatchJob | None:
        """Return the end of a batch job from the listing, else from the account; None before it."""
        job = self.listing().jobs.get(number)
        if job is not None and job.state is BatchJobState.FINISHED and job.end is not BatchJobEnd.UNKNOWN:
            return PastBatchJob(scheduler_id=number, native_state=job.native_state, end=job.end)
        command = self.adapter.history_command([number], self._began, user=self._user)
        if command is None:
            return None
        past = self.adapter.parse_history(run_command(command)).jobs.get(number)
        return past if past is not None and past.end is not None else None

    def _is_gone(self, number: str) -> bool:
        job = self.listing().jobs.get(number)
        return job is None or job.state is BatchJobState.FINISHED

    def _is_mine(self, job: QueuedBatchJob) -> bool:
        return job.name.startswith(self._marker) and job.state is not BatchJobState.FINISHED


_NO_HISTORY = "Is accounting on (for Slurm: slurmdbd; for PBS: job_history_enable)? Balsam does without."

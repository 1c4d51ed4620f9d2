"""A scheduler inside the test: its adapter, its memory, and the ways in which it can misbehave."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from balsam.batch import Desk
from balsam.client import Client
from balsam.config import UserSettings
from balsam.lib.commands import Answer, Command
from balsam.platform.scheduler import (
    Cancellation,
    History,
    Listing,
    PastBatchJob,
    QueuedBatchJob,
    Submission,
    SubmitRequest,
)
from balsam.states import BatchJobEnd, BatchJobState

LOST = Answer(None, problem="tiny did not answer within 60 s")


@dataclass
class TinyScheduler:
    """Commands are run by `run`; jobs are what a listing shows, past what accounting knows."""

    jobs: dict[str, QueuedBatchJob] = field(default_factory=dict)
    past: dict[str, PastBatchJob] = field(default_factory=dict)
    #: What was submitted, by the order of submission: (id, name).
    submitted: list[tuple[str, str]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    #: Called before each command, by its first word; an Answer of it is the answer, and nothing is done.
    before: Callable[[str], Answer | None] = lambda word: None
    #: Called after each command has been done; an Answer of it replaces the true one.
    after: Callable[[str], Answer | None] = lambda word: None
    has_accounting: bool = True
    next_id: int = 100

    def run(self, command: Command) -> Answer:
        """Do what a command asks for."""
        word, *words = command.argv
        if (instead := self.before(word)) is not None:
            return instead
        answer = getattr(self, f"_{word}")(*words)
        return self.after(word) or answer

    def desk(self, db_path: Path, **settings: Any) -> Desk:
        """A desk at this scheduler."""
        return Desk(
            client=Client(),
            adapter=TinyAdapter(self),
            db_path=db_path,
            settings=replace(UserSettings(), **settings),
            user="me",
            run=self.run,
        )

    def put(self, scheduler_id: str, **fields: object) -> None:
        """List a batch job, or change the one that is listed."""
        job = self.jobs.get(scheduler_id) or QueuedBatchJob(
            scheduler_id=scheduler_id, state=BatchJobState.QUEUED, native_state="PD", name="x", queue="q"
        )
        self.jobs[scheduler_id] = replace(job, **fields)  # type: ignore[arg-type]

    def end(self, scheduler_id: str, end: BatchJobEnd, **fields: object) -> None:
        """Move a batch job from the listing to the account."""
        job = self.jobs.pop(scheduler_id)
        past = PastBatchJob(scheduler_id=scheduler_id, name=job.name, native_state=end.value.upper(), end=end)
        self.past[scheduler_id] = replace(past, **fields)  # type: ignore[arg-type]

    def _submit(self, name: str, queue: str, *flags: str) -> Answer:
        if queue == "closed":
            return Answer(1, stderr="tiny: the queue closed is closed")
        self.next_id += 1
        self.submitted.append((str(self.next_id), name))
        self.put(str(self.next_id), name=name, queue=queue)
        return Answer(0, str(self.next_id))

    def _status(self, user: str) -> Answer:
        return Answer(0, json.dumps(list(self.jobs)))

    def _history(self, *wanted: str) -> Answer:
        found = [job.scheduler_id for job in self.past.values() if {job.scheduler_id, job.name} & set(wanted)]
        return Answer(0, json.dumps(found)) if self.has_accounting else Answer(1, stderr="no accounting here")

    def _cancel(self, scheduler_id: str) -> Answer:
        self.cancelled.append(scheduler_id)
        return Answer(0) if scheduler_id in self.jobs else Answer(1, stderr="gone")


class TinyAdapter:
    """Its answers are ids; what they stand for is in the scheduler's memory."""

    name = "tiny"
    probe = "tiny"
    keeps_history = True
    lists_names = True

    def __init__(self, scheduler: TinyScheduler) -> None:
        self.scheduler = scheduler

    def submit_command(self, request: SubmitRequest) -> Command:
        return Command(["submit", request.name, request.queue, *request.extra_flags])

    def parse_submit(self, answer: Answer) -> Submission:
        if answer.is_ok and answer.stdout.isdecimal():
            return Submission(scheduler_id=answer.stdout)
        return Submission(refused=answer.words if answer.returncode == 1 else "")

    def status_command(self, user: str) -> Command:
        return Command(["status", user])

    def parse_status(self, answer: Answer, user: str = "") -> Listing:
        if (ids := _ids(answer)) is None:
            return Listing(is_complete=False, problem=answer.words)
        return Listing(jobs={i: self.scheduler.jobs[i] for i in ids})

    def history_command(
        self, scheduler_ids: Sequence[str], since: datetime, name: str = "", user: str = ""
    ) -> Command | None:
        return Command(["history", *scheduler_ids, name])

    def parse_history(self, answer: Answer) -> History:
        if (ids := _ids(answer)) is None:
            return History(is_complete=False, problem=answer.words)
        return History(jobs={i: self.scheduler.past[i] for i in ids})

    def cancel_command(self, scheduler_id: str) -> Command:
        return Command(["cancel", scheduler_id])

    def parse_cancel(self, answer: Answer) -> Cancellation:
        return Cancellation.ACCEPTED if answer.is_ok else Cancellation.GONE


def _ids(answer: Answer) -> list[str] | None:
    """Return the ids of an answer; None if it cannot be read."""
    try:
        ids: list[str] = json.loads(answer.stdout) if answer.is_ok else None
    except ValueError:
        return None
    return ids

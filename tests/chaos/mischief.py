"""A fake batch system, a desk at it, and random deeds of users, of the batch system and of death."""

import collections
import getpass
import itertools
import os
import random
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.models import F

from balsam.batch import Desk, cancel, refresh, submit
from balsam.client import Client
from balsam.config import UserSettings
from balsam.core.models import QueuedLaunch
from balsam.lib.commands import Answer, Command, run_command
from balsam.platform.scheduler import load_scheduler
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobRequest
from balsam.selftest.fakes.ledger import Job, Ledger
from balsam.selftest.fakes.main import answer
from balsam.selftest.fakes.mischief import KINDS, arm, befallen, disarm
from balsam.selftest.setting_up import make_fake
from balsam.states import BATCH_JOB_END_STATES, BatchJobState
from tests.waiting import wait_until

B = BatchJobState
#: What batch jobs do. Without an account, the end of one that nobody has seen is no news to anybody.
WORK = ("true", "exit 3", "sleep 600", "sleep 600")
#: Longer than any patience of Balsam's.
LONG_SEC = 1000.0


class World:
    """One batch system; ``deeds`` counts what was done."""

    def __init__(self, name: str, directory: Path, rng: random.Random) -> None:
        self.name = name
        self.rng = rng
        self.deeds: collections.Counter[str] = collections.Counter()
        self.directory = directory / "fake"
        self.commands = make_fake(name, self.directory, num_nodes=6, minute_sec=60.0, grace_sec=0.2)
        template = directory / "job.tmpl"
        template.write_text("#!/bin/bash\n{{ optional_params.work }}\n")
        self.desk = Desk(
            client=Client(),
            adapter=load_scheduler(name),
            db_path=directory,
            settings=replace(UserSettings(), JOB_TEMPLATE=str(template)),
            user=getpass.getuser(),
            run=self.run,
        )

    def run(self, command: Command) -> Answer:
        """Run a command of the fake: mostly within this process, as hanging costs nothing there."""
        word, *words = command.argv
        word = Path(word).name
        if self.rng.random() < 0.1:
            self.deeds["processes"] += 1
            return run_command(replace(command, argv=[str(self.commands / word), *words], timeout_sec=5.0))
        inherited = {name: value for name, value in os.environ.items() if name not in command.unset}
        environ = {**inherited, "PATH": f"{self.commands}:{os.environ['PATH']}", **command.environ}
        reply = answer(str(self.directory), word, words, environ, command.cwd or "")
        if reply.hangs:
            return Answer(None, problem=f"{word} did not answer within 60 s")
        stdout = reply.stdout.encode(errors="surrogateescape").decode(errors="replace")
        return Answer(reply.code, stdout, reply.stderr)

    def misbehave(self) -> None:
        """Have one thing go wrong, soon."""
        kind = self.rng.choice(sorted(set(KINDS) - {"flood"}))  # which takes as long as hundreds of others
        with Ledger(self.directory) as ledger:
            arm(ledger, kind, times=self.rng.choice((1, 1, 1, 2, 4)), seed=str(self.rng.random()))
        self.deeds[kind] += 1

    def befallen(self) -> int:
        """Count what has gone wrong."""
        with Ledger(self.directory) as ledger:
            return befallen(ledger)

    def act(self) -> None:
        """Do something a user or an agent does, and be killed now and then while at it."""
        deed = self.rng.choice(("new", "new", "new", "again", "refresh", "refresh", "cancel", "wait"))
        live = [info for info in self.infos().values() if info.state not in BATCH_JOB_END_STATES]
        if deed == "new" or not live:
            self._mortally("submit", self._intend())
        elif deed == "again":
            for info in [info for info in live if info.state is B.PENDING_SUBMISSION]:
                self._mortally("submit", info.batch_job_id)
        elif deed == "cancel":
            self._mortally("cancel", self.rng.choice(live).batch_job_id)
        elif deed == "wait":
            self.let_pass(self.rng.choice((5.0, 40.0, 130.0, 300.0)))
        self._mortally("refresh", 0)

    def infos(self) -> dict[int, BatchJobInfo]:
        """Return what Balsam knows of its batch jobs here."""
        infos = self.desk.client.batch_jobs(live_only=False)
        return {i.batch_job_id: i for i in infos if i.from_balsam and i.scheduler == self.name}

    def taken(self) -> dict[int, list[Job]]:
        """Return what the batch system has taken, by the number in the name of the script."""
        found = collections.defaultdict(list)
        with Ledger(self.directory) as ledger:
            for job in ledger.jobs():
                found[int(Path(job.script).stem.removeprefix("qlaunch"))].append(job)
        return dict(found)

    def number(self, scheduler_id: str) -> int:
        """Return the number of an id such as ``12[].server``."""
        return int(scheduler_id.split(".")[0].split("[")[0].split("_")[0])

    def overlap(self, jobs: list[Job]) -> bool:
        """Say whether there are two where one may be: at once, or ever where there is an account."""
        if self.desk.adapter.keeps_history:
            return len(jobs) > 1
        pairs = itertools.pairwise(jobs)
        return any(first.ended is None or first.ended > second.submitted for first, second in pairs)

    def can_be_found(self, job: Job) -> bool:
        """Say whether there is anything by which Balsam could know of a batch job."""
        return not job.is_forgotten and (self.desk.adapter.keeps_history or job.state != "ended")

    def settle(self) -> None:
        """Behave, and let Balsam find out what has become of everything."""
        with Ledger(self.directory) as ledger:
            disarm(ledger)
        for _ in range(4):
            self.let_pass(LONG_SEC)
            for info in self.infos().values():
                if info.state is B.PENDING_SUBMISSION:
                    submit(self.desk, info.batch_job_id)
            refresh(self.desk)

    def end_all(self) -> None:
        """Cancel what there is."""
        for info in self.infos().values():
            if info.state not in BATCH_JOB_END_STATES:
                cancel(self.desk, info.batch_job_id)

    def is_over(self) -> bool:
        """Let time pass, and say whether Balsam knows of an end of each batch job."""
        self.let_pass(LONG_SEC)
        refresh(self.desk)
        live = [info for info in self.infos().values() if info.state not in BATCH_JOB_END_STATES]
        assert not live, live
        return True

    def let_pass(self, seconds: float) -> None:
        """Make what is recorded so much older."""
        ago = timedelta(seconds=seconds)
        for column in ("submit_began", "submitting_until", "missing_since"):
            QueuedLaunch.objects.filter(scheduler=self.name).update(**{column: F(column) - ago})
        with Ledger(self.directory) as ledger:
            ledger.execute(
                "UPDATE job SET listed_from = listed_from - ?1, submitted = submitted - ?1", seconds
            )
            ledger.execute(
                "UPDATE job SET started = started - ?1, ended = ended - ?1 WHERE state = 'ended'", seconds
            )

    def stop(self) -> None:
        """End every process of a batch job."""
        with Ledger(self.directory) as ledger:
            ledger.execute("UPDATE job SET is_forgotten = 0")
            ledger.execute("UPDATE job SET state = 'ended' WHERE state IN ('queued', 'held')")
            running = ledger.jobs("state = 'running'")
            disarm(ledger)
            for job in running:
                ledger.change(job.seq, asked="cancelled")
                if job.supervisor is not None:
                    os.kill(job.supervisor, signal.SIGTERM)

        def has_ended() -> bool:
            with Ledger(self.directory) as ledger:
                return not ledger.jobs("state = 'running'")

        wait_until(has_ended)

    def _intend(self) -> int:
        work = self.rng.choice(WORK) if self.desk.adapter.keeps_history else "sleep 600"
        request = BatchJobRequest(
            scheduler=self.name, project="demo", queue=self.rng.choice(("default",) * 9 + ("nonesuch",)),
            num_nodes=self.rng.randint(1, 3), wall_time_min=10, job_mode="serial",
            optional_params={"work": work},
        )  # fmt: skip
        self.deeds["intents"] += 1
        return self.desk.client.intend_batch_job(request).batch_job_id

    def _mortally(self, deed: str, batch_job_id: int) -> None:
        """Do it, or let a process die over it, before a step that is drawn."""
        if self.rng.random() > 0.3:
            _do(self.desk, deed, batch_job_id)
            return
        steps = self.rng.randint(1, 12)
        self.deeds["deaths"] += 1
        connections.close_all()
        pid = os.fork()
        if not pid:
            try:
                _do(_Mortal(steps).desk(self.desk), deed, batch_job_id)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) in (0, -signal.SIGKILL), deed


def _do(desk: Desk, deed: str, batch_job_id: int) -> None:
    if deed == "submit":
        submit(desk, batch_job_id)
    elif deed == "cancel":
        cancel(desk, batch_job_id)
    else:
        refresh(desk)


class _Mortal:
    """Kills this process at its n-th step; commands and calls of the database have one on each side."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def desk(self, desk: Desk) -> Desk:
        """The desk of one who dies."""
        client = Client()
        call = client.transport.call

        def deadly_call(*args: Any, **kwargs: Any) -> Any:
            self._step()
            reply = call(*args, **kwargs)
            self._step()
            return reply

        client.transport.call = deadly_call  # type: ignore[method-assign]
        return replace(desk, client=client, run=lambda command: self._run(desk, command))

    def _run(self, desk: Desk, command: Command) -> Answer:
        self._step()
        answered = desk.run(command)
        self._step()
        return answered

    def _step(self) -> None:
        self._steps -= 1
        if not self._steps:
            os.kill(os.getpid(), signal.SIGKILL)

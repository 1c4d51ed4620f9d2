"""A whole launcher in this process, with a client that makes rare things happen."""

import asyncio
import threading
from pathlib import Path

import pytest

from balsam.client import Client
from balsam.core.models import BalsamJob
from balsam.launcher import watcher
from balsam.launcher.head import Head
from balsam.launcher.options import LauncherOptions
from balsam.launcher.tally import Tally
from balsam.platform.nodes import detect_nodes
from balsam.schemas.jobs import JobSpec, StepSpec
from balsam.schemas.sessions import ClaimRequest, Outlook, OutlookRequest, StepClaimRequest
from tests.jobs import add_app, add_job
from tests.launching import script
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")


def run_head(client: Client, db: Path, **options: object) -> Tally:
    head = Head(LauncherOptions(mode="serial", **options), detect_nodes(), db / "log", client)

    async def run() -> Tally:
        async with asyncio.timeout(60):
            return await head.run()

    return asyncio.run(run())


def test_hook_that_begins_while_a_launcher_looks_whether_to_leave_keeps_it(db: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    looking = threading.Event()

    class LateClient(Client):
        def claim_steps(self, request: StepClaimRequest) -> list[StepSpec]:
            assert looking.wait(30)
            return super().claim_steps(request)

        def outlook(self, request: OutlookRequest) -> Outlook:
            if not BalsamJob.objects.filter(state="RUN_DONE").exists():
                return super().outlook(request)
            looking.set()
            wait_until(lambda: BalsamJob.objects.exclude(session=None).exists() or go.exists())
            found = super().outlook(request)
            go.touch()
            return found

    hook = script(tmp_path, "post", f"#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.02; done; sleep 0.1\n")
    add_app("slow", postprocess=str(hook))
    job = add_job(application="slow")
    tally = run_head(LateClient(), db)
    job.refresh_from_db()
    assert (job.state, tally.finished) == ("JOB_FINISHED", 1)
    assert "Interrupted" not in job.state_history


def test_launcher_that_runs_no_hooks_does_not_wait_for_ever_for_others_to_do_so(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "_LOOK_SEC", 0.05)  # looks that find nothing are no change
    add_app("hooked", preprocess="/bin/true")
    add_job(application="hooked")
    tally = run_head(Client(), db, num_transition_threads=0, idle_sec=0.3)
    assert tally.outlook is not None and tally.outlook.processable == 1


def test_jobs_whose_claim_was_lost_on_the_way_are_run(db: Path) -> None:
    class ForgetfulClient(Client):
        claims = 0

        def claim(self, request: ClaimRequest) -> list[JobSpec]:
            self.claims += 1
            claimed = super().claim(request)
            return [] if self.claims == 1 else claimed

    jobs = [add_job(name=f"j{number}") for number in range(3)]
    assert run_head(ForgetfulClient(), db).finished == len(jobs)

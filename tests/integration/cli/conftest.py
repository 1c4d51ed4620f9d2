"""Run commands inside the test's process, on the test's database."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from balsam.cli.main import run
from balsam.core import claims, leases, transitions
from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.lib.processes import this_process
from balsam.schemas.jobs import JobReport, Step
from balsam.schemas.sessions import ClaimRequest, SessionRequest
from balsam.states import JobState
from tests.commands import Finished


@pytest.fixture
def balsam(
    db: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Finished]:
    """Run ``balsam("ls", "--state", "FAILED", input="")``: status and output, as `balsam_cli` but faster."""

    def run_here(*args: object, input: str = "") -> Finished:
        monkeypatch.setattr("sys.stdin", io.StringIO(input))
        capsys.readouterr()
        code = run([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Finished(code, captured.out, captured.err)

    return run_here


@pytest.fixture
def running_job(db: Path) -> BalsamJob:
    """A job that a launcher has started."""
    this = this_process()
    request = SessionRequest(
        kind="launcher", host=this.host, boot_id=this.boot_id, pid=this.pid, start_time=this.start_time
    )
    session = leases.open_session(request)
    ApplicationDefinition(name="sleep", executable="/bin/sleep 1").save()
    BalsamJob(name="running", application="sleep").save()
    [spec] = claims.claim(ClaimRequest(session_id=session.session_id, limit=1))
    started = JobReport(job_id=spec.job_id, attempt=spec.attempt, steps=(Step(JobState.RUNNING),))
    transitions.report(session.session_id, [started])
    return BalsamJob.objects.get(state=JobState.RUNNING)

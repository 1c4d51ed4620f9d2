"""An application that a user changes is changed for everybody, also where it has been used before."""

import pytest

from balsam.core import claims
from balsam.schemas.sessions import StepClaimRequest
from balsam.states import JobState as S
from tests.jobs import add_app, add_job, claim, open_session, report

pytestmark = pytest.mark.usefixtures("db")


def test_launcher_that_ran_it_before_starts_the_new_executable():
    app = add_app("tool", "/old --fast")
    add_job(application="tool", args="1")
    session = open_session()
    assert [spec.command for spec in claim(session)] == ["/old --fast 1"]
    app.executable, app.envscript = "/new", "/env.sh"
    app.save()
    add_job(application="tool", args="2")
    assert [(spec.command, spec.envscript) for spec in claim(session)] == [("/new 2", "/env.sh")]


def test_processing_that_ran_its_hook_before_runs_the_new_one():
    app = add_app("tool", postprocess="/old")
    session = open_session()
    for hook in ("/old", "/new"):
        app.postprocess = hook
        app.save()
        add_job(application="tool")
        report(session, claim(session), S.RUNNING, S.RUN_DONE)
        (step,) = claims.claim_steps(StepClaimRequest(session_id=session, limit=10))
        assert step.postprocess == hook

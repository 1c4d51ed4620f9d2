"""A hook may move its own job: the job stays held until the hook has ended."""

import pytest

from balsam.core import claims, leases, transitions
from balsam.core.models import BalsamJob
from balsam.schemas.jobs import StepResult, StepSpec
from balsam.schemas.sessions import ReportReply, StepClaimRequest
from balsam.states import JobState as S
from tests.jobs import add_app, add_job, claim, finish, messages, open_session, report, state_of

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> tuple[BalsamJob, int, StepSpec]:
    """A job whose error is being handled by a hook, which this process is; its session, its step."""
    add_app("handled", postprocess="/bin/true")
    job = add_job(application="handled", post_error_handler=True)
    session = open_session()
    report(session, claim(session), S.RUNNING, S.RUN_ERROR, code=1)
    (step,) = claim_steps(session)
    monkeypatch.setenv("BALSAM_JOB_ID", str(job.pk))
    job.refresh_from_db()
    return job, session, step


def claim_steps(session: int) -> list[StepSpec]:
    return claims.claim_steps(StepClaimRequest(session_id=session, limit=10))


def end_of_hook(session: int, step: StepSpec) -> ReportReply:
    """Report what the processing component does of a handler: it knows nothing of the move."""
    outcome = StepResult(
        job_id=step.job_id, from_state=step.state, to_state=S.FAILED, message="did not change the state"
    )
    return transitions.report_steps(session, [outcome])


def holder(job: BalsamJob) -> int | None:
    return BalsamJob.objects.values_list("session_id", flat=True).get(pk=job.pk)


def test_a_job_moved_by_its_own_hook_is_not_started_before_the_hook_has_ended(handled):
    job, session, step = handled

    job.update_state("RESTART_READY", "once more")

    assert (job.state, state_of(job), holder(job)) == ("RESTART_READY", "RESTART_READY", session)
    assert claim(session) == claim(open_session()) == []
    assert end_of_hook(session, step).late == ()
    (spec,) = claim(session)
    assert spec.attempt == 2
    assert "did not change" not in messages(job)


@pytest.mark.parametrize("as_save", [False, True])
def test_a_hook_may_move_its_job_more_than_once(handled, as_save: bool):
    job, session, step = handled

    for state in ("RESTART_READY", "RUN_DONE", "RESTART_READY"):
        if as_save:
            job.state = state
            job.save()
        else:
            job.update_state(state)

    assert claim(session) == [] and holder(job) == session
    end_of_hook(session, step)
    assert state_of(job) == "RESTART_READY" and holder(job) is None


def test_a_job_ended_by_its_own_hook_is_free_at_once_and_counted(handled):
    job, session, step = handled

    job.update_state("RESTART_READY")
    job.update_state("JOB_FINISHED", "it is fine")

    assert holder(job) is None
    reply = end_of_hook(session, step)
    assert (reply.applied, reply.finished, reply.failed) == (0, 1, 0)


def test_a_job_moved_by_somebody_else_is_free_at_once(handled, monkeypatch: pytest.MonkeyPatch):
    job, session, step = handled
    monkeypatch.delenv("BALSAM_JOB_ID")

    job.update_state("RESTART_READY")

    assert holder(job) is None
    assert claims.revoked_steps(session, [step.job_id]) == [step.job_id], "the hook is ended"


def test_a_user_wins_over_the_hook(handled, monkeypatch: pytest.MonkeyPatch):
    job, session, step = handled
    job.update_state("RESTART_READY")
    monkeypatch.delenv("BALSAM_JOB_ID")

    job.update_state("PREPROCESSED")

    assert holder(job) is None
    assert claims.revoked_steps(session, [step.job_id]) == [step.job_id]


def test_the_hook_of_a_moved_job_may_finish(handled):
    job, session, step = handled
    job.update_state("RESTART_READY")
    assert claims.revoked_steps(session, [step.job_id]) == claims.lost(session, [step.job_id]) == []
    job.update_state("FAILED")
    assert claims.revoked_steps(session, [step.job_id]) == []


def test_a_report_repeated_after_a_lost_reply_does_not_free_what_was_claimed_since(handled):
    job, session, step = handled
    job.update_state("RESTART_READY")
    end_of_hook(session, step)
    specs = claim(session)

    assert end_of_hook(session, step).late == (step.job_id,)
    assert holder(job) == session
    report(session, specs, S.RUNNING)
    end_of_hook(session, step)

    assert (state_of(job), holder(job)) == ("RUNNING", session)


def test_the_death_of_the_holder_frees_a_job_moved_by_its_hook(handled):
    job, session, _ = handled
    job.update_state("RESTART_READY")

    leases.close(session, "it has died")

    (spec,) = claim(open_session())
    assert spec.attempt == 2


def test_a_parent_that_finishes_does_not_free_a_child_whose_hook_still_runs(handled):
    job, session, step = handled
    parent = add_job()
    job.set_parents([parent])
    job.update_state("CREATED", "wait for the rescue")
    assert state_of(job) == "AWAITING_PARENTS"

    (spec,) = claim(session)
    assert spec.job_id == str(parent.pk)
    finish(session, [spec])

    assert (state_of(job), holder(job)) == ("PREPROCESSED", session)
    end_of_hook(session, step)
    assert [spec.job_id for spec in claim(session)] == [step.job_id]


def test_a_running_job_that_resets_itself_is_free_at_once(monkeypatch: pytest.MonkeyPatch):
    job = add_job()
    session = open_session()
    report(session, claim(session), S.RUNNING)
    monkeypatch.setenv("BALSAM_JOB_ID", str(job.pk))

    job.update_state("RESTART_READY")

    assert holder(job) is None, "its launcher ends it"

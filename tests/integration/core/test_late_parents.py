"""Jobs that get their parents just after they were saved, when a launcher may have taken them already."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from balsam.core import claims
from balsam.core.models import BalsamJob, JobEvent
from balsam.launcher import dag
from balsam.schemas.sessions import StepClaimRequest
from balsam.states import JobState as S
from tests.jobs import add_app, add_job, claim, finish, messages, open_session, report, state_of

pytestmark = pytest.mark.usefixtures("db")


def add_parent(child: BalsamJob, how: str) -> BalsamJob:
    """Give a job a parent that has not finished, and that nobody claims with it."""
    parent = add_job(name="parent", num_nodes=9)
    if how == "edge":
        dag.add_dependency(parent, child)
    else:
        child.set_parents([parent])
    return parent


@pytest.mark.parametrize("how", ["edge", "list"])
def test_a_claimed_child_goes_back_to_wait(how: str):
    child = add_job(name="child")
    session = open_session()
    (spec,) = claim(session)

    add_parent(child, how)

    assert state_of(child) == "AWAITING_PARENTS"
    assert claims.lost(session, [spec.job_id]) == [spec.job_id]
    assert report(session, [spec], S.RUNNING).late == (spec.job_id,)
    assert state_of(child) == "AWAITING_PARENTS"


@pytest.mark.parametrize("how", ["edge", "list"])
def test_a_child_that_was_just_started_starts_over_after_its_parent(how: str):
    child = add_job(name="child")
    session = open_session()
    specs = claim(session)
    report(session, specs, S.RUNNING)

    add_parent(child, how)

    assert state_of(child) == "AWAITING_PARENTS"
    assert "starts over" in messages(child)
    assert finish(session, specs).late == (specs[0].job_id,)
    (parent_spec,) = claim(session)
    finish(session, [parent_spec])
    (again,) = claim(session)
    assert (again.job_id, again.attempt) == (str(child.pk), 2)


def test_a_child_in_staging_or_a_hook_goes_back_to_wait():
    add_app("hooked", preprocess="/bin/true")
    child = add_job(application="hooked", name="child")
    session = open_session()
    (step,) = claims.claim_steps(StepClaimRequest(session_id=session, limit=10))

    add_parent(child, "edge")

    assert state_of(child) == "AWAITING_PARENTS"
    assert claims.revoked_steps(session, [step.job_id]) == [step.job_id]


def test_a_child_that_has_run_for_long_goes_on_and_its_history_says_so():
    child = add_job(name="child")
    session = open_session()
    report(session, claim(session), S.RUNNING)
    JobEvent.objects.update(timestamp=Now() - timedelta(minutes=1))

    parent = add_parent(child, "edge")

    assert state_of(child) == "RUNNING"
    assert f"{parent.cute_id} was added after the start, and is not waited for" in messages(child)


def test_a_script_that_makes_its_own_job_a_child_goes_on(monkeypatch: pytest.MonkeyPatch):
    child = add_job(name="child")
    session = open_session()
    report(session, claim(session), S.RUNNING)
    monkeypatch.setenv("BALSAM_JOB_ID", str(child.pk))

    add_parent(child, "edge")

    assert state_of(child) == "RUNNING"


def test_a_started_child_does_not_mind_a_parent_that_has_finished():
    parent, child = add_job(name="parent"), add_job(name="child")
    session = open_session()
    specs = {spec.name: spec for spec in claim(session)}
    finish(session, [specs["parent"]])
    report(session, [specs["child"]], S.RUNNING)

    dag.add_dependency(parent, child)

    assert state_of(child) == "RUNNING"
    assert "waited" not in messages(child)


def test_a_started_child_that_does_not_wait_goes_on():
    child = add_job(name="child", wait_for_parents=False)
    session = open_session()
    report(session, claim(session), S.RUNNING)

    add_parent(child, "edge")

    assert state_of(child) == "RUNNING"
    assert "waited" not in messages(child)


def test_an_ended_child_stays_as_it_is():
    child = add_job(name="child")
    session = open_session()
    finish(session, claim(session))
    before = child.state_history

    add_parent(child, "edge")

    assert child.state_history == before


def test_a_claimed_child_whose_parent_is_opened_again_waits_for_it():
    parent = add_job(name="parent")
    child = add_job(parent, name="child")
    session = open_session()
    finish(session, claim(session))
    assert [spec.name for spec in claim(session)] == ["child"]

    parent.update_state("CREATED", "once more")

    assert state_of(child) == "AWAITING_PARENTS"

"""The state machine on a real database: what launchers report and users ask for, and what is refused."""

import uuid

import pytest

from balsam.core import transitions
from balsam.core.models import BalsamJob, JobEvent
from balsam.exceptions import InvalidStateError, NotFoundError
from balsam.schemas.jobs import JobReport, Step
from balsam.states import JobState as S
from tests.jobs import add_app, add_job, claim, finish, history, messages, open_session, report, state_of

pytestmark = pytest.mark.usefixtures("db")


def test_a_job_without_work_before_it_is_preprocessed_when_it_is_saved():
    job = add_job(name="plain")

    assert job.state == state_of(job) == "PREPROCESSED"
    assert history(job) == ["CREATED", "PREPROCESSED"]


def test_a_finished_run_without_work_after_it_finishes_the_job():
    job = add_job()
    session = open_session()

    reply = finish(session, claim(session))

    assert (reply.applied, reply.finished, reply.late) == (1, 1, ())
    assert history(job) == ["CREATED", "PREPROCESSED", "RUNNING", "RUN_DONE", "JOB_FINISHED"]
    job.refresh_from_db()
    assert (job.attempt, job.return_code, job.lock, job.session_id) == (1, 0, "", None)


def test_a_failed_run_fails_the_job_with_its_message():
    job = add_job()
    session = open_session()
    (spec,) = claim(session)

    steps = (Step(S.RUNNING, 0.5), Step(S.RUN_ERROR, 0.1, "exit code 3\nboom"))
    transitions.report(
        session, [JobReport(job_id=spec.job_id, attempt=spec.attempt, steps=steps, return_code=3)]
    )

    assert history(job)[-3:] == ["RUNNING", "RUN_ERROR", "FAILED"]
    assert "exit code 3\nboom" in job.state_history
    assert BalsamJob.objects.get(pk=job.pk).return_code == 3


def test_an_error_is_retried_as_often_as_the_job_allows():
    job = add_job(max_error_retries=2)
    session = open_session()

    for attempt in (1, 2, 3):
        (spec,) = claim(session)
        assert spec.attempt == attempt
        report(session, [spec], S.RUNNING, S.RUN_ERROR, code=1)

    assert state_of(job) == "FAILED"
    assert history(job).count("RESTART_READY") == 2


def test_a_timeout_restarts_the_job_up_to_its_limit():
    job = add_job(max_timeout_retries=1)
    session = open_session()

    report(session, claim(session), S.RUNNING, S.RUN_TIMEOUT)
    assert state_of(job) == "RESTART_READY"
    report(session, claim(session), S.RUNNING, S.RUN_TIMEOUT)

    assert state_of(job) == "FAILED"
    assert "max_timeout_retries is 1" in messages(job)


def test_a_timeout_without_automatic_restart_fails_the_job():
    job = add_job(auto_timeout_retry=False)
    session = open_session()

    report(session, claim(session), S.RUNNING, S.RUN_TIMEOUT)

    assert state_of(job) == "FAILED"


@pytest.mark.parametrize(
    ("flag", "outcome"), [("post_error_handler", S.RUN_ERROR), ("post_timeout_handler", S.RUN_TIMEOUT)]
)
def test_a_handler_keeps_the_job_where_it_is_to_be_handled(flag: str, outcome: S):
    add_app("handled", postprocess="/bin/true")
    job = add_job(application="handled", **{flag: True})
    session = open_session()

    report(session, claim(session), S.RUNNING, outcome)

    assert state_of(job) == outcome


def test_a_job_given_back_unstarted_can_be_claimed_again_at_the_same_attempt():
    job = add_job()
    session = open_session()
    (spec,) = claim(session)

    reply = transitions.report(
        session, [JobReport(job_id=spec.job_id, attempt=spec.attempt, message="too large")]
    )

    assert reply.late == ()
    assert "too large" in messages(job)
    assert [again.attempt for again in claim(session)] == [1]


def test_a_running_job_given_back_is_restarted():
    job = add_job()
    session = open_session()
    specs = claim(session)
    report(session, specs, S.RUNNING)

    report(session, specs)

    assert state_of(job) == "RESTART_READY"


def test_a_job_that_cannot_be_started_fails_with_the_reason():
    job = add_job()
    session = open_session()

    report(session, claim(session), S.FAILED)

    assert state_of(job) == "FAILED"
    assert history(job) == ["CREATED", "PREPROCESSED", "FAILED"]


# -- fencing ---------------------------------------------------------------------------------------------


def test_a_late_result_of_a_killed_job_is_refused_and_recorded():
    job = add_job()
    session = open_session()
    specs = claim(session)
    report(session, specs, S.RUNNING)
    job.update_state("USER_KILLED", "enough")

    reply = report(session, specs, S.RUN_DONE, code=0)

    assert (reply.applied, reply.late) == (0, (str(job.pk),))
    assert state_of(job) == "USER_KILLED"
    assert "Refused a late report of attempt 1: RUN_DONE" in messages(job)


def test_what_a_python_job_has_left_is_stored_with_its_end_and_only_for_who_holds_it():
    job, other = add_job(name="a"), add_job(name="b")
    session = open_session()
    specs = {spec.job_id: spec for spec in claim(session)}
    steps = (Step(S.RUNNING), Step(S.RUN_DONE))
    left = {"return_code": 0, "steps": steps, "value": 'a "value" \\', "exception": ""}
    stranger = open_session()
    items = [JobReport(job_id=str(job.pk), attempt=specs[str(job.pk)].attempt, **left)]
    transitions.report(stranger, items)
    job.refresh_from_db()
    assert job.serialized_return_value == ""
    transitions.report(session, items)
    job.refresh_from_db()
    other.refresh_from_db()
    assert (job.state, job.serialized_return_value) == ("JOB_FINISHED", 'a "value" \\')
    assert other.serialized_return_value == ""


def test_a_late_result_is_recorded_once_however_often_it_is_repeated():
    job = add_job()
    session = open_session()
    specs = claim(session)
    report(session, specs, S.RUNNING)
    job.update_state("USER_KILLED")

    for _ in range(3):
        report(session, specs, S.RUN_DONE)

    assert messages(job).count("Refused") == 1


def test_a_result_of_an_owner_that_was_taken_over_is_refused():
    job = add_job()
    first, second = open_session(), open_session()
    (old,) = claim(first)
    report(first, [old], S.RUNNING)
    assert transitions.recover(first, "lost") == 1
    (new,) = claim(second)
    report(second, [new], S.RUNNING)

    assert finish(first, [old]).late == (str(job.pk),)
    assert report(first, [old], S.RUN_DONE).late == (str(job.pk),)
    assert state_of(job) == "RUNNING"
    assert report(second, [new], S.RUN_DONE).finished == 1


def test_two_owners_of_the_same_attempt_are_told_apart():
    """The first owner never reported its start, so the second one's start has the same number."""
    job = add_job()
    first, second = open_session(), open_session()
    (old,) = claim(first)
    transitions.recover(first, "lost")
    (new,) = claim(second)
    assert old.attempt == new.attempt == 1
    finish(second, [new])

    assert finish(first, [old]).late == (str(job.pk),)
    assert "Refused a late report of attempt 1" in messages(job)


def test_a_report_whose_reply_was_lost_may_be_repeated():
    job = add_job()
    session = open_session()
    specs = claim(session)

    for states in ((S.RUNNING,), (S.RUN_DONE,)):
        first = report(session, specs, *states)
        events = JobEvent.objects.count()
        again = report(session, specs, *states)
        assert first.late == again.late == ()
        assert JobEvent.objects.count() == events
    assert state_of(job) == "JOB_FINISHED"


def test_repeating_a_whole_run_changes_nothing():
    job = add_job()
    session = open_session()
    specs = claim(session)
    finish(session, specs)
    before = job.state_history

    assert finish(session, specs).late == ()
    assert job.state_history == before


def test_a_repeated_start_of_a_job_killed_meanwhile_is_late_but_no_news():
    job = add_job()
    session = open_session()
    specs = claim(session)
    report(session, specs, S.RUNNING)
    job.update_state("USER_KILLED")

    assert report(session, specs, S.RUNNING).late == (str(job.pk),)
    assert "Refused" not in messages(job)


def test_one_bad_item_does_not_keep_the_others_from_being_applied():
    jobs = [add_job(name=str(i)) for i in range(3)]
    session = open_session()
    specs = claim(session)
    jobs[1].delete()
    reports = [
        JobReport(job_id=spec.job_id, attempt=1, steps=(Step(S.RUNNING), Step(S.RUN_DONE))) for spec in specs
    ]
    strange = [
        JobReport(job_id="no-id", attempt=1, steps=(Step(S.RUNNING),)),
        JobReport(job_id=str(uuid.uuid4()), attempt=1, steps=(Step(S.RUNNING),)),
    ]

    reply = transitions.report(session, [*strange, *reports])

    assert reply.finished == 2
    assert set(reply.late) == {"no-id", strange[1].job_id, str(jobs[1].pk)}


def test_a_report_that_leaves_the_table_of_transitions_is_refused():
    job = add_job()
    session = open_session()
    specs = claim(session)

    assert report(session, specs, S.RUN_DONE).late == (str(job.pk),)
    assert report(session, specs, S.RUNNING, S.POSTPROCESSED).late == (str(job.pk),)
    assert state_of(job) == "PREPROCESSED"


# -- what users ask for ----------------------------------------------------------------------------------


def test_a_killed_job_stays_killed():
    job = add_job()
    job.update_state("USER_KILLED")

    with pytest.raises(InvalidStateError, match="Clone it"):
        job.update_state("RESTART_READY")
    assert BalsamJob.batch_update_state([job.pk], "CREATED") == []
    assert state_of(job) == "USER_KILLED"


def test_one_end_state_does_not_become_another():
    job = add_job()
    job.update_state("JOB_FINISHED")

    with pytest.raises(InvalidStateError, match="Set CREATED to start it over"):
        job.update_state("FAILED")


def test_a_failed_job_can_be_started_over_or_run_again():
    job = add_job()
    for state, then in (("CREATED", "PREPROCESSED"), ("RESTART_READY", "RESTART_READY")):
        job.update_state("FAILED")
        job.update_state(state)
        assert job.state == then


def test_unknown_states_and_running_are_refused():
    job = add_job()
    with pytest.raises(InvalidStateError, match="'DONE' is no job state"):
        job.update_state("DONE")
    with pytest.raises(InvalidStateError, match="Only a launcher sets RUNNING"):
        job.update_state("RUNNING")


def test_moving_a_deleted_job_says_that_it_is_gone():
    job = add_job()
    BalsamJob.objects.get(pk=job.pk).delete()

    with pytest.raises(NotFoundError):
        job.update_state("FAILED")


def test_setting_the_state_it_is_in_is_no_move_but_its_message_is_kept():
    job = add_job()
    before = job.state_history

    job.update_state("PREPROCESSED")
    assert job.state_history == before

    job.update_state("PREPROCESSED", "looked at by hand")
    assert BalsamJob.batch_update_state([job], "PREPROCESSED", "and by a script") == []
    assert job.state_history.startswith(before)
    assert messages(job).splitlines()[-2:] == ["looked at by hand", "and by a script"]


def test_killing_the_killed_says_nothing():
    job = add_job()
    job.update_state("USER_KILLED", "enough")
    before = job.state_history

    BalsamJob.batch_update_state([job], "USER_KILLED", "once more")

    assert job.state_history == before


def test_states_are_set_along_with_what_follows_from_them():
    add_app("post", postprocess="/bin/true")
    plain, hooked = add_job(), add_job(application="post")
    BalsamJob.batch_update_state([plain, hooked], "RUN_DONE")

    assert state_of(plain) == "JOB_FINISHED"
    assert state_of(hooked) == "RUN_DONE"


def test_messages_of_any_kind_are_kept():
    job = add_job()
    job.update_state("FAILED", "NUL \0, quote ', backslash \\, € and \udcff")

    assert "NUL \\0, quote ', backslash \\, € and \\udcff" in job.state_history

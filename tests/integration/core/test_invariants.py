"""The checker finds each kind of damage; damage is done by SQL, since the core does none."""

import uuid

import pytest
from django.db import connection

from balsam.core.invariants import CHECKS, violations
from balsam.states import JobState as S
from tests.jobs import add_job, claim, finish, open_session, report, run_all

pytestmark = pytest.mark.usefixtures("db")

NEW_EVENT = "INSERT INTO core_jobevent (job_id, from_state, to_state, attempt) VALUES (%s, %s, %s, 1)"


def damage(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def found() -> set[str]:
    return {violation.check for violation in violations()}


def test_sound_jobs_violate_nothing():
    parent = add_job()
    for policy in ("fail", "ignore", "hold"):
        add_job(parent, on_parent_failure=policy)
    session = open_session()
    claim(session)
    add_job().update_state("FAILED")
    add_job(parent).delete()

    assert violations() == []
    finish(session, [])
    run_all()
    assert violations() == []


def test_a_running_job_of_an_ended_session_is_found():
    job = add_job()
    session = open_session()
    report(session, claim(session), S.RUNNING)
    damage("UPDATE core_session SET ended = now()")

    (violation,) = violations()
    assert violation.job_id == job.pk
    assert f"held by session {session}, which has ended" in str(violation)


def test_a_lock_without_holder_is_found():
    add_job()
    damage("UPDATE core_balsamjob SET lock = 'host:1'")

    assert found() == {"holders"}


def test_a_state_without_its_event_is_found():
    add_job()
    damage("UPDATE core_balsamjob SET state = 'READY'")

    assert found() == {"history"}


def test_a_gap_in_the_history_is_found():
    job = add_job()
    damage(NEW_EVENT, job.pk, "RUN_DONE", "PREPROCESSED")

    assert found() == {"history", "moves"}


def test_a_move_outside_of_the_table_is_found():
    job = add_job()
    damage(NEW_EVENT, job.pk, "PREPROCESSED", "JOB_FINISHED")
    damage("UPDATE core_balsamjob SET state = 'JOB_FINISHED'")

    assert found() == {"moves"}


def test_two_starts_of_one_attempt_are_found():
    job = add_job()
    run_all()
    damage(NEW_EVENT, job.pk, "JOB_FINISHED", "RUNNING")

    assert "attempts" in found()


@pytest.mark.parametrize("column", ["pending_parents = 2", "pending_parents = 0", "wait_for_parents = false"])
def test_a_job_that_waits_wrongly_is_found(column: str):
    add_job(add_job())
    damage(f"UPDATE core_balsamjob SET {column} WHERE state = 'AWAITING_PARENTS'")

    assert found() == {"waiting"}


def test_a_job_released_too_early_is_found():
    child = add_job(add_job())
    damage("UPDATE core_balsamjob SET state = 'PREPROCESSED' WHERE job_id = %s", child.pk)
    damage(NEW_EVENT, child.pk, "AWAITING_PARENTS", "PREPROCESSED")

    assert found() == {"early"}


def test_events_of_no_job_are_found():
    damage(NEW_EVENT, uuid.uuid4(), "CREATED", "READY")

    assert found() == {"strays"}


def test_jobs_that_wait_for_each_other_are_found():
    top = add_job()
    first = add_job(top)
    second = add_job(first)
    damage("INSERT INTO core_jobdependency (parent_id, child_id) VALUES (%s, %s)", second.pk, first.pk)
    damage("UPDATE core_balsamjob SET pending_parents = 2 WHERE job_id = %s", first.pk)

    (violation,) = violations()
    assert violation.check == "cycles"
    assert str(violation).startswith("No job waits for itself.")


def test_every_check_has_its_query():
    assert violations(max_rows=0) == []
    assert len(CHECKS) == 7

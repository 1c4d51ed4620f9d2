"""Sessions: a lease runs by the database clock, and what a lost owner held is free again, once."""

from collections.abc import Iterator

import pytest
from django.db import connection

from balsam.core import claims, leases
from balsam.core.models import BalsamJob, Session
from balsam.exceptions import LeaseLostError
from balsam.schemas.sessions import OutlookRequest, StepClaimRequest
from balsam.states import JobState as S
from tests.jobs import (
    add_app,
    add_job,
    add_jobs,
    at_once,
    claim,
    finish,
    messages,
    open_session,
    report,
    state_of,
)

pytestmark = pytest.mark.usefixtures("db")


def expire(session_id: int) -> None:
    """Let a lease run out, as its database sees it."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE core_session SET expires = now() - interval '1s' WHERE id = %s", [session_id])


@pytest.fixture
def wrong_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the clock of this host be a day ahead."""
    import time

    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400)
    yield


def test_a_lease_lasts_for_its_length_by_the_database_clock(wrong_clock: None):
    session = open_session()
    (info,) = [info for info in leases.live_sessions() if info.session_id == session]

    assert leases.LEASE_SEC - 30 < info.expires_sec <= leases.LEASE_SEC
    assert leases.reap_expired() == 0


def test_a_heartbeat_renews_the_lease():
    session = open_session()
    expire(session)
    leases.heartbeat(session)

    assert leases.reap_expired() == 0
    assert Session.objects.get(pk=session).ended is None


def test_a_lost_owners_jobs_are_free_again_with_the_reason():
    started, claimed = add_job(name="started"), add_job(name="claimed")
    session = open_session()
    specs = claim(session)
    report(session, [spec for spec in specs if spec.name == "started"], S.RUNNING)
    expire(session)

    assert leases.reap_expired() == 2
    assert (state_of(started), state_of(claimed)) == ("RESTART_READY", "PREPROCESSED")
    assert "Lost contact with the launcher on" in messages(started)
    assert not BalsamJob.objects.exclude(lock="").exists()
    assert {spec.attempt for spec in claim(open_session())} == {1, 2}


def test_a_lease_is_lost_for_good():
    session = open_session()
    add_job()
    expire(session)
    leases.reap_expired()

    with pytest.raises(LeaseLostError):
        leases.heartbeat(session)
    assert claim(session) == []
    assert claims.claim_steps(StepClaimRequest(session_id=session, limit=5)) == []


def test_ending_a_session_twice_frees_its_jobs_once():
    add_jobs(3)
    session = open_session()
    claim(session)

    freed = at_once(*[lambda: leases.close(session, "done")] * 4)
    assert sorted(freed) == [0, 0, 0, 3]


def test_several_reapers_free_each_job_once():
    jobs = add_jobs(30)
    for _ in range(3):
        session = open_session()
        claim(session, 10)
        expire(session)

    assert sum(at_once(*[leases.reap_expired] * 4)) == len(jobs)


def test_a_claim_whose_reply_was_lost_is_undone():
    add_jobs(4)
    session = open_session()
    known = claim(session, 2)
    claim(session, 2)

    assert leases.reconcile(session, [spec.job_id for spec in known]) == 2
    assert finish(session, known).finished == 2


def test_the_owner_is_told_when_a_held_job_is_taken_away():
    kept, killed = add_job(), add_job()
    session = open_session()
    specs = claim(session)
    killed.update_state("USER_KILLED")

    assert claims.lost(session, [spec.job_id for spec in specs]) == [str(killed.pk)]
    assert state_of(kept) == "PREPROCESSED"


# -- claims ----------------------------------------------------------------------------------------------


def test_jobs_are_claimed_best_first():
    add_job(name="last")
    add_job(name="long", wall_time_minutes=60)
    add_job(name="wide", num_nodes=4)
    add_job(name="urgent", priority=1)

    assert [spec.name for spec in claim(open_session())] == ["urgent", "wide", "long", "last"]


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"max_nodes": 1}, {"small", "ranks"}),
        ({"serial_only": True}, {"small"}),
        ({"max_wall_time_min": 30}, {"small", "ranks"}),
        ({"workflow": "ig"}, {"wide"}),
        ({"workflow": "none"}, set()),
    ],
)
def test_a_claim_is_bounded(bounds: dict[str, object], expected: set[str]):
    add_job(name="small")
    add_job(name="ranks", ranks_per_node=2)
    add_job(name="wide", num_nodes=4, wall_time_minutes=60, workflow="big")

    assert {spec.name for spec in claim(open_session(), **bounds)} == expected


def test_excluded_jobs_are_left_to_others():
    one, other = add_jobs(2)

    assert [spec.job_id for spec in claim(open_session(), exclude=(str(one.pk),))] == [str(other.pk)]


def test_a_claim_tells_all_a_launcher_needs():
    add_app("sim", "/bin/sim --fast", envscript="/env.sh")
    parent = add_job()
    parent.update_state("JOB_FINISHED")
    job = add_job(
        parent,
        application="sim",
        name="n",
        workflow="w",
        args="-x 1",
        environ_vars={"A": "1"},
        threads_per_rank=2,
        mpi_flags="--bind",
        gpus_per_rank=0.5,
    )
    (spec,) = claim(open_session())

    assert (spec.command, spec.envscript, spec.workdir) == (
        "/bin/sim --fast -x 1",
        "/env.sh",
        job.working_directory,
    )
    assert spec.environ["A"] == "1" and spec.environ["OMP_NUM_THREADS"] == "2"
    assert str(parent.pk) in spec.environ["BALSAM_PARENT_IDS"]
    assert (spec.mpi_flags, spec.gpus_per_rank, spec.problem) == ("--bind", 0.5, "")


def test_an_application_that_is_gone_is_told_as_the_problem():
    app = add_app("gone")
    add_job(application="gone")
    app.delete()

    assert "no application named 'gone'" in claim(open_session())[0].problem


def test_steps_are_claimed_oldest_first():
    add_app("hooked", preprocess="/bin/true")
    add_job(name="first", application="hooked")
    add_job(name="second", application="gone")
    session = open_session()
    specs = claims.claim_steps(StepClaimRequest(session_id=session, limit=5))

    assert [(spec.name, spec.state) for spec in specs] == [("first", S.STAGED_IN), ("second", S.READY)]
    assert claims.claim_steps(StepClaimRequest(session_id=session, limit=5)) == []


def test_the_outlook_counts_what_is_left():
    add_app("hooked", preprocess="/bin/true")
    add_job()
    add_job(num_nodes=9)
    add_job(application="hooked")
    add_job(add_job())
    claim(open_session(), 1, max_nodes=1)
    outlook = claims.outlook(OutlookRequest(max_nodes=1))

    assert (outlook.runnable, outlook.unfit, outlook.processable) == (1, 1, 1)
    assert (outlook.held, outlook.waiting) == (1, 1)


def test_the_outlook_knows_what_others_prepare():
    mine, other = open_session(), open_session()
    add_app(preprocess="/bin/true")
    add_job(application="app")
    assert claims.outlook(OutlookRequest(session_id=mine)).in_other_steps == 0
    claims.claim_steps(StepClaimRequest(session_id=other, limit=1))
    assert claims.outlook(OutlookRequest(session_id=mine)).in_other_steps == 1
    assert claims.outlook(OutlookRequest(session_id=other)).in_other_steps == 0


def test_the_outlook_tells_what_keeps_jobs_from_this_launcher():
    add_job(num_nodes=9, ranks_per_node=2, wall_time_minutes=90)
    add_job(num_nodes=8)
    add_job(num_nodes=2)
    add_job(ranks_per_node=2, wall_time_minutes=90)
    add_job(wall_time_minutes=90)
    excluded = add_job()
    request = OutlookRequest(max_nodes=4, serial_only=True, max_wall_time_min=60, exclude=(str(excluded.pk),))
    outlook = claims.outlook(request)

    assert (outlook.unfit, outlook.too_large, outlook.most_nodes) == (6, 2, 9)
    assert (outlook.too_parallel, outlook.too_long, outlook.unplaceable) == (2, 1, 1)

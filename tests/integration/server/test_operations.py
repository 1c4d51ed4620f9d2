"""What launchers and agents do, over either transport, and that none of it reaches another account."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from balsam.api import App, Job, Site
from balsam.api.connection import use_client
from balsam.client import Client, Http
from balsam.core.models import BalsamJob, QueuedLaunch, Session
from balsam.exceptions import ConflictError, LeaseLostError, NotFoundError, UsageError
from balsam.lib.processes import this_process
from balsam.schemas.batch_jobs import BatchJobObservation, BatchJobRequest, DemandRequest
from balsam.schemas.jobs import JobReport, Step
from balsam.schemas.operations import OPERATIONS
from balsam.schemas.sessions import (
    ClaimRequest,
    OutlookRequest,
    SessionInfo,
    SessionRequest,
    StepClaimRequest,
)
from balsam.schemas.transfers import TransferClaimRequest
from balsam.states import BatchJobEnd, BatchJobState
from balsam.states import JobState as S
from tests.serving import log_in


@pytest.fixture(params=["in-process", "http"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Reach the same database, as its owner or as an account."""
    if request.param == "http":
        yield Client(request.getfixturevalue("alice"))
        return
    request.getfixturevalue("db")
    use_client(found := Client())
    yield found


def request_for(site: Site, kind: str = "launcher") -> SessionRequest:
    me = this_process()
    return SessionRequest(
        kind=kind,
        host=me.host,
        boot_id=me.boot_id,
        pid=me.pid,
        start_time=me.start_time,
        site_id=int(site.id),
    )


def new_site(name: str = "theta") -> Site:
    return Site.objects.create(name, f"/sites/{name}")


def add_jobs(site: Site, count: int = 1, **fields: Any) -> list[Job]:
    app = App.objects.create(site_id=site.id, name="Hello", command_template="echo hello")
    return Job.objects.bulk_create([Job(f"w{n}", app.id, **fields) for n in range(count)])


def opened(client: Client, site: Site) -> SessionInfo:
    return client.open_session(request_for(site))


def claim(client: Client, session: SessionInfo, site: Site, **bounds: Any) -> list[Any]:
    request = ClaimRequest(session_id=session.session_id, limit=100, site_id=int(site.id), **bounds)
    return client.claim(request)


def test_jobs_are_claimed_run_and_reported(client: Client):
    site = new_site()
    jobs = add_jobs(site, 3)
    session = opened(client, site)
    client.heartbeat(session.session_id)
    specs = claim(client, session, site)
    assert all("echo hello" in spec.command for spec in specs) and len(specs) == 3
    assert specs[0].workdir == "/sites/theta/data/w0" and specs[0].output == "job.out"
    assert claim(client, session, site) == []
    outlook = client.outlook(OutlookRequest(session_id=session.session_id, site_id=int(site.id)))
    assert (outlook.held, outlook.mine, outlook.runnable) == (3, 3, 0)
    steps = (Step(S.RUNNING, 1.5), Step(S.RUN_DONE))
    reports = [
        JobReport(job_id=spec.job_id, attempt=spec.attempt, steps=steps, return_code=0) for spec in specs[:2]
    ]
    assert client.report(session.session_id, reports).finished == 2
    assert client.report(session.session_id, reports).late == ()  # the reply was lost, and it comes again
    assert client.lost(session.session_id, [spec.job_id for spec in specs]) == [s.job_id for s in specs[:2]]
    assert client.close_session(session.session_id, "closed") == 1
    with pytest.raises(LeaseLostError):
        client.heartbeat(session.session_id)
    assert [job.state for job in Job.objects.filter(id=[job.id for job in jobs]).order_by("id")] == [
        "JOB_FINISHED",
        "JOB_FINISHED",
        "PREPROCESSED",
    ]


def test_claims_that_nobody_knows_of_are_freed(client: Client):
    site = new_site()
    add_jobs(site, 2)
    session = opened(client, site)
    specs = claim(client, session, site)
    assert client.reconcile(session.session_id, [specs[0].job_id]) == 1
    assert [spec.job_id for spec in claim(client, session, site)] == [specs[1].job_id]


def test_agent_of_a_site_is_the_only_one(client: Client):
    site = new_site()
    first = client.open_service(request_for(site, "service"))
    assert client.open_service(request_for(site, "service")).session_id == first.session_id
    with pytest.raises(ConflictError):
        client.open_service(
            SessionRequest(
                kind="service", host="other", boot_id="b", pid=1, start_time=1.0, site_id=int(site.id)
            )
        )
    client.tell_status(first.session_id, {"loops": {"a": 1}})
    found = client.current_service(int(site.id))
    assert found is not None and found.status == {"loops": {"a": 1}}
    assert [info.session_id for info in client.live_sessions()] == [first.session_id]


def test_batch_jobs_are_asked_for_submitted_and_observed(client: Client):
    site = new_site()
    request = BatchJobRequest(
        scheduler="",
        project="p",
        queue="q",
        num_nodes=2,
        wall_time_min=10,
        job_mode="mpi",
        site_id=int(site.id),
        filter_tags={"a": "b"},
    )
    info = client.intend_batch_job(request)
    assert [one.batch_job_id for one in client.batch_jobs()] == [info.batch_job_id]
    begun = client.begin_submission(info.batch_job_id, 60.0, "slurm")
    assert begun is not None and begun.submit_began is None
    assert client.begin_submission(info.batch_job_id, 60.0, "slurm") is None
    queued = client.record_submission(info.batch_job_id, "77", "/s.sh")
    assert (queued.state, queued.scheduler_id) == (BatchJobState.QUEUED, "77")
    ended = BatchJobObservation(
        scheduler="slurm", scheduler_id="77", state=BatchJobState.FINISHED, end=BatchJobEnd.COMPLETED
    )
    assert client.observe_batch_jobs([ended], int(site.id)).ended == (info.batch_job_id,)
    assert client.batch_jobs() == []
    assert client.batch_jobs(live_only=False, ids=[info.batch_job_id])[0].end is BatchJobEnd.COMPLETED


def test_work_that_waits_is_told_by_shape(client: Client):
    site = new_site()
    add_jobs(site, 4, num_nodes=2, wall_time_min=5)
    (demand,) = client.demand(DemandRequest(site_id=int(site.id)))
    assert (demand.count, demand.num_nodes, demand.is_ready) == (4, 2, True)


def test_schedulers_of_two_sites_may_use_the_same_number(client: Client):
    infos = []
    for name in ("theta", "cooley"):
        request = BatchJobRequest(
            scheduler="cobalt", project="p", queue="q", num_nodes=1, wall_time_min=10, job_mode="mpi",
            site_id=int(new_site(name).id),
        )  # fmt: skip
        info = client.intend_batch_job(request)
        client.begin_submission(info.batch_job_id, 60.0)
        infos.append(client.record_submission(info.batch_job_id, "5", "/s.sh"))
    theta, cooley = infos
    running = BatchJobObservation(scheduler="cobalt", scheduler_id="5", state=BatchJobState.RUNNING)
    client.observe_batch_jobs([running], theta.site_id)
    states = {info.site_id: info.state for info in client.batch_jobs()}
    assert states == {theta.site_id: BatchJobState.RUNNING, cooley.site_id: BatchJobState.QUEUED}
    named = BatchJobObservation(
        scheduler="cobalt", scheduler_id="5", state=BatchJobState.RUNNING, name=cooley.marker
    )
    client.observe_batch_jobs([named], theta.site_id)  # another site that sees it by its name
    assert {info.state for info in client.batch_jobs()} >= {BatchJobState.RUNNING}
    assert QueuedLaunch.objects.get(pk=cooley.batch_job_id).status == "running"


def test_login_for_one_site_changes_no_batch_job_of_another(alice: Http, address: str):
    theta, cooley = new_site("theta"), new_site("cooley")
    shape = {"num_nodes": 1, "wall_time_min": 5, "job_mode": "mpi", "project": "p", "queue": "q"}
    info = Client(alice).intend_batch_job(BatchJobRequest(scheduler="cobalt", site_id=cooley.id, **shape))
    seen = BatchJobObservation(
        scheduler="cobalt", scheduler_id="5", state=BatchJobState.RUNNING, name=info.marker, queue="q"
    )
    body = {"scopes": ["agent"], "site_id": theta.id, "days": 1, "label": "agent of theta"}
    limited = Http(address, alice.request("POST", "/auth/tokens", json=body)["access_token"])
    Client(limited).observe_batch_jobs([seen], theta.id)
    row = QueuedLaunch.objects.get(pk=info.batch_job_id)
    assert (row.status, row.scheduler_id) == ("pending_submission", "")
    Client(alice).observe_batch_jobs([seen], theta.id)
    assert QueuedLaunch.objects.get(pk=info.batch_job_id).status == "running", "all sites are hers"


def test_waiting_for_notices_ends_with_work_or_when_woken(client: Client):
    site = new_site()
    listener = client.listen()
    add_jobs(site)
    topics: list[str] = []
    while "work" not in topics:
        topics = listener.wait(30)
        assert topics
    waiter = threading.Thread(target=lambda: topics.append(str(listener.wait(60))))
    waiter.start()
    listener.wake()
    waiter.join(timeout=30)
    assert not waiter.is_alive()
    listener.close()


def test_owner_of_a_site_alone_is_told_what_happens_there(alice: Http, address: str):
    site = new_site()
    (job,) = add_jobs(site)
    mine, bob = Client(alice), log_in(address, "bob")
    session = opened(mine, site)
    claim(mine, session, site)
    body = {"scopes": ["read"], "site_id": new_site("other").id, "days": 1, "label": "x"}
    elsewhere = Http(address, alice.request("POST", "/auth/tokens", json=body)["access_token"])
    others = [bob, elsewhere]
    last = [other.request("GET", "/notices")["last"] for other in others]
    listener = mine.listen()
    job.state = S.FAILED
    job.save()
    Job("w/later", job.app_id).save()
    shape = {"num_nodes": 1, "wall_time_min": 5, "job_mode": "mpi", "project": "p", "queue": "q"}
    mine.intend_batch_job(BatchJobRequest(scheduler="", site_id=site.id, **shape))
    told: set[str] = set()
    while not told >= {"end", "work", "batch", f"lost {session.session_id}"}:
        told.update(listener.wait(30))
    for other, after in zip(others, last, strict=True):
        params = {"after": after, "timeout_sec": 0}
        assert other.request("GET", "/notices", params=params)["topics"] == []


# -- whose it is -------------------------------------------------------------------------------------


def test_nothing_reaches_what_belongs_to_another_account(alice: Http, address: str):
    """Each operation of the table is called by Bob with what is Alice's."""
    site = new_site()
    (job,) = add_jobs(site)
    mine = Client(alice)
    session = opened(mine, site)
    (spec,) = claim(mine, session, site)
    batch = mine.intend_batch_job(
        BatchJobRequest(
            scheduler="slurm",
            project="p",
            queue="q",
            num_nodes=1,
            wall_time_min=1,
            job_mode="mpi",
            site_id=int(site.id),
        )
    )
    number, place, one = session.session_id, int(site.id), batch.batch_job_id
    bob = log_in(address, "bob")
    refused: dict[str, tuple[Any, ...]] = {
        "sessions.open": (request_for(site),),
        "sessions.heartbeat": (number,),
        "sessions.close": (number, "bob"),
        "sessions.reconcile": (number, []),
        "services.open": (request_for(site, "service"),),
        "services.current": (place,),
        "services.tell": (number, {}),
        "services.runs_since": (0, batch.created),
        "jobs.claim": (ClaimRequest(session_id=number, limit=1, site_id=place),),
        "jobs.report": (number, [JobReport(job_id=spec.job_id, attempt=1)]),
        "jobs.lost": (number, [spec.job_id]),
        "jobs.outlook": (OutlookRequest(site_id=place),),
        "steps.claim": (StepClaimRequest(session_id=number, limit=1, site_id=place),),
        "steps.report": (number, []),
        "steps.revoked": (number, [spec.job_id]),
        "batch_jobs.intend": (
            BatchJobRequest(
                scheduler="",
                project="p",
                queue="q",
                num_nodes=1,
                wall_time_min=1,
                job_mode="mpi",
                site_id=place,
            ),
        ),
        "batch_jobs.begin": (one, 1.0),
        "batch_jobs.record": (one, "1", "/s"),
        "batch_jobs.refuse": (one, "no"),
        "batch_jobs.doubt": (one, "no"),
        "batch_jobs.observe": ([], place),
        "batch_jobs.delete": (one,),
        "batch_jobs.demand": (DemandRequest(site_id=place),),
    }
    refused["transfers.claim"] = (TransferClaimRequest(session_id=number, limit=1, site_id=place),)
    refused["transfers.report"] = (number, [])
    harmless = {"sessions.list": [], "batch_jobs.list": [], "sessions.reap": 0}
    assert set(refused) | set(harmless) == set(OPERATIONS)
    before = _rows()
    for name, args in refused.items():
        with pytest.raises(NotFoundError):
            bob.call(name, *args)
    for name, reply in harmless.items():
        assert bob.call(name) == reply, name
    assert _rows() == before
    own = opened(Client(bob), Site.objects.get(id=_site_of(bob)))
    with pytest.raises(NotFoundError):  # his own session, at her site, and the other way round
        bob.call("jobs.claim", ClaimRequest(session_id=own.session_id, limit=1, site_id=place))
    assert _rows()["jobs"] == before["jobs"] and job.id is not None


def _site_of(server: Http) -> int:
    use_client(Client(server))
    return int(new_site("bobs").id)


def _rows() -> dict[str, Any]:
    return {
        "jobs": list(BalsamJob.objects.order_by("pk").values("state", "session_id", "attempt")),
        "sessions": list(Session.objects.order_by("pk").values("pk", "ended", "expires")),
        "batch jobs": list(QueuedLaunch.objects.order_by("pk").values("status", "scheduler_id", "reason")),
    }


def test_request_that_comes_twice_makes_one_batch_job(alice: Http):
    site = new_site()
    body = (
        b'{"request": {"scheduler": "", "project": "p", "queue": "q", "num_nodes": 1, "wall_time_min": 1,'
        b' "job_mode": "mpi", "site_id": %d}}' % site.id
    )
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    first, second = (
        alice.request("POST", "/operations/batch_jobs.intend", content=body, headers=headers)
        for _ in range(2)
    )
    assert first["batch_job_id"] == second["batch_job_id"] and QueuedLaunch.objects.count() == 1


def test_garbage_is_told_of(alice: Http):
    for body in (b"", b"{", b'{"session_id": "x"}', b'{"session_id": null}'):
        with pytest.raises(UsageError, match=r"sessions\.heartbeat"):
            alice.request("POST", "/operations/sessions.heartbeat", content=body)
    with pytest.raises(NotFoundError):
        alice.request(
            "POST", "/operations/sessions.heartbeat", content=b'{"session_id": 999999999999999999999}'
        )

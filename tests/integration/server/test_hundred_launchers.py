"""A hundred launchers and programs of users at one database: all are answered, and no job is taken twice.

Over HTTP they are a hundred clients of one server, and nothing is sent twice; in process they are a hundred
connections to the database.
"""

from functools import partial
from pathlib import Path

import pytest
from django.db import connection

from balsam.client import Client, Http
from balsam.core.invariants import violations
from balsam.core.models import BalsamJob, Session
from balsam.lib.processes import this_process
from balsam.schemas.acquisition import AcquireRequest
from balsam.schemas.fields import Record
from balsam.schemas.jobs import JobReport, Step
from balsam.schemas.sessions import ClaimRequest, SessionRequest
from balsam.states import JobState as S
from tests.jobs import at_once
from tests.serving import log_in, served

LAUNCHERS = 100
JOBS = 3 * LAUNCHERS
#: Connections of the server: its threads, and what it has besides.
MOST_CONNECTIONS = 50


@pytest.fixture(params=["own database", "server"])
def clients(request: pytest.FixtureRequest, db: Path):
    """A client for each launcher, none of which asks twice."""
    if request.param == "own database":
        yield [Client() for _ in range(LAUNCHERS)]
        return
    with served(db) as address:
        token = log_in(address, "alice").credentials
        servers = [Http(address, token) for _ in range(LAUNCHERS)]
        for server in servers:
            server.set_patience(False)
        yield [Client(server) for server in servers]
        assert connections() < MOST_CONNECTIONS


def connections() -> int:
    """Count the connections to the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def site_with_jobs(client: Client) -> int:
    """Make a site with no-op jobs."""
    (site,) = client.create_resources("site", [{"name": "here", "path": "/sites/here"}])
    app = {"site_id": site["id"], "name": "true", "command_template": "true"}
    (app,) = client.create_resources("app", [app])
    jobs: list[Record] = [{"app_id": app["id"], "workdir": f"w/{n}"} for n in range(JOBS)]
    client.create_resources("job", jobs)
    return int(site["id"])


def launcher(client: Client, site: int) -> list[str]:
    """Do as a launcher does until nothing is left; return the jobs it ran."""
    me = this_process()
    session = client.open_session(
        SessionRequest(
            kind="launcher",
            host=me.host,
            boot_id=me.boot_id,
            pid=me.pid,
            start_time=me.start_time,
            site_id=site,
        )
    ).session_id
    ran: list[str] = []
    while specs := client.claim(ClaimRequest(session_id=session, site_id=site, limit=2)):
        client.heartbeat(session)
        steps = (Step(S.RUNNING), Step(S.RUN_DONE))
        reports = [
            JobReport(job_id=spec.job_id, attempt=spec.attempt, steps=steps, return_code=0) for spec in specs
        ]
        reply = client.report(session, reports)
        assert (reply.applied, reply.late) == (len(specs), ())
        ran += [spec.job_id for spec in specs]
    client.heartbeat(session)
    client.close_session(session, "done")
    return ran


def program(client: Client, site: int) -> list[str]:
    """Do the same as a program of a user's does, by a session of the Python API."""
    (session,) = client.create_resources("session", [{"site_id": site}])
    ran: list[int] = []
    while jobs := client.acquire_jobs(session["id"], AcquireRequest(max_num_jobs=2)):
        client.tick(session["id"])
        for state in ("RUNNING", "RUN_DONE"):
            reply = client.update_resources("job", {job["id"]: {"state": state} for job in jobs})
            assert len(reply.changed) == len(jobs) and not reply.refused
        ran += [job["id"] for job in jobs]
    client.tick(session["id"])
    return [str(pk) for pk in BalsamJob.objects.filter(number__in=ran).values_list("pk", flat=True)]


def test_hundred_launchers_tick_and_no_job_is_taken_twice(clients: list[Client]):
    site = site_with_jobs(clients[0])
    kinds = (launcher, program) * (LAUNCHERS // 2)
    shares = at_once(*[partial(work, client, site) for work, client in zip(kinds, clients, strict=True)])
    assert [share for share in shares if isinstance(share, Exception)] == []
    ran = [job for share in shares for job in share]
    assert len(ran) == len(set(ran)) == JOBS
    assert set(BalsamJob.objects.values_list("state", flat=True)) == {"JOB_FINISHED"}
    assert Session.objects.filter(site=site).count() == LAUNCHERS
    assert violations() == []

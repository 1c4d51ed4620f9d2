"""Facts for explanations come from the tables as they are."""

from pathlib import Path

import pytest

from balsam.api import App, BatchJob, Job, Site
from balsam.core import leases, transitions
from balsam.core.explain import explanation
from balsam.core.models import BalsamJob, JobEvent, QueuedLaunch, Session
from balsam.exceptions import NotFoundError, UsageError
from balsam.lib.processes import this_process
from balsam.schemas.sessions import SessionRequest
from balsam.states import JobState as S
from tests.jobs import add_app, add_job, claim, open_session, report


@pytest.fixture
def theta(db: Path) -> Site:
    site = Site.objects.create("theta", "/sites/theta")
    App.objects.create(site_id=site.id, name="Hello", command_template="echo hello")
    return site


def new_job(site: Site, **fields: object) -> Job:
    job = Job("w", App.objects.get(site_id=site.id).id, **fields)
    job.save()
    return job


def start_process(kind: str, site_id: int, **about: object) -> int:
    me = this_process()
    request = SessionRequest(
        kind=kind, host=me.host, boot_id=me.boot_id, pid=me.pid, start_time=me.start_time,
        site_id=site_id, about=about,
    )  # fmt: skip
    return leases.open_session(request).session_id


def test_ready_job_of_a_site_is_explained_by_what_is_there(theta: Site):
    job = new_job(theta, num_nodes=2, wall_time_min=5)
    assert job.explain().reason == "no_launcher"
    batch_job = BatchJob.objects.create(
        site_id=theta.id, num_nodes=1, wall_time_min=20, queue="q", project="p", job_mode="mpi"
    )
    assert "has 1 node, and the job needs 2" in "".join(job.explain().details)
    job.num_nodes = 1
    job.save()
    assert job.explain().reason == "batch_job_pending"
    QueuedLaunch.objects.filter(pk=batch_job.id).update(status="queued", scheduler_id="6", reason="Priority")
    assert "The scheduler says: Priority." in job.explain().text
    start_process("launcher", theta.id, mode="serial", num_nodes=1, tags={"a": "b"})
    start_process("launcher", theta.id, mode="serial", num_nodes=1, tags={})
    found = job.explain()
    assert (found.reason, found.host) == ("launcher_busy", this_process().host)
    assert (found.output, found.site) == ("/sites/theta/data/w/job.out", "theta")


def test_job_that_waits_for_a_file_names_the_transfer(theta: Site):
    theta.transfer_locations = {"far": "rsync://far"}
    theta.save()
    slots = {"data": {"required": True, "direction": "in", "local_path": "in.dat"}}
    app = App.objects.create(site_id=theta.id, name="Sum", command_template="true", transfers=slots)
    job = Job.objects.create("s", app.id, transfers={"data": "far:/a"})
    assert job.state == "READY"
    found = job.explain()
    assert any("far:/a, is pending" in line for line in found.details)
    assert f"balsam transfer ls --job {job.id}" in found.next_step


def test_job_is_followed_through_its_life(db: Path):
    parent = add_job(name="p", workflow="w")
    child = add_job(parent, name="c", workflow="w")
    number, below = parent.number, child.number
    assert explanation(None, below).reason == "parents"
    session = open_session()
    specs = claim(session)
    assert explanation(None, number).reason == "claimed"
    report(session, specs, S.RUNNING)
    assert explanation(None, number).reason == "running"
    Session.objects.filter(pk=session).update(start_time=1.0)
    assert explanation(None, number).reason == "holder_lost"
    leases.close(session, "The launcher has died")
    again = explanation(None, number)
    assert again.reason == "no_launcher" and "The launcher has died" in "".join(again.details)
    session = open_session()
    report(session, claim(session), S.RUNNING, S.RUN_ERROR, code=3)
    assert explanation(None, number).reason == "program_failed"
    assert explanation(None, below).reason == "parent_failed"
    assert explanation(None, number).output == f"{parent.working_directory}/p.out"


def test_word_of_a_launcher_holds_until_the_job_moves(db: Path):
    job = add_job(name="big", gpus_per_rank=2)
    session = open_session()
    claim(session)
    transitions.report(session, [_give_back(job, "It needs 2 GPUs on its node, and this one has none.")])
    found = explanation(None, job.number)
    assert found.reason == "nothing_fits" and "says: It needs 2 GPUs" in "".join(found.details)
    transitions.set_state([job.pk], "RESTART_READY")
    assert explanation(None, job.number).reason == "launcher_busy"


def _give_back(job: BalsamJob, message: str) -> object:
    from balsam.schemas.jobs import JobReport

    return JobReport(job_id=str(job.pk), attempt=1, message=message)


def test_hooks_wait_for_an_agent_and_say_what_it_fails_at(db: Path):
    add_app("hooked", preprocess="/bin/true")
    job = add_job(application="hooked", name="h")
    assert explanation(None, job.number).reason == "no_agent"
    service = start_process("service", 1, loops=[])
    assert explanation(None, job.number).reason == "step_waits"
    broken = {"loops": [{"name": "processing", "failures_in_a_row": 1, "last_error": "disk full"}]}
    Session.objects.filter(pk=service).update(status=broken)
    assert "disk full" in explanation(None, job.number).text
    job.application = "nothing"
    job.save()
    assert explanation(None, job.number).reason == "no_app"


def test_job_that_is_no_longer_there_is_told_of(db: Path):
    with pytest.raises(NotFoundError, match="no job 4711"):
        explanation(None, 4711)


def test_explaining_writes_nothing(db: Path):
    job = add_job()
    before = JobEvent.objects.count()
    explanation(None, job.number)
    assert JobEvent.objects.count() == before


def test_job_that_no_node_of_the_site_could_run_is_refused_when_it_is_made_or_changed(theta: Site):
    theta.node_shape = {"cpus": 64, "gpus": 4}
    theta.save()
    new_job(theta, gpus_per_rank=1, ranks_per_node=4)
    with pytest.raises(UsageError, match=r"needs 8 GPUs on a node .* and a node of theta has 4"):
        new_job(theta, gpus_per_rank=2, ranks_per_node=4)
    (job,) = Job.objects.all()
    job.gpus_per_rank = 2
    with pytest.raises(Exception, match="a node of theta has 4"):
        job.save()
    assert Job.objects.first().gpus_per_rank == 1
    Site.objects.create("somewhere", "/sites/somewhere")
    assert BalsamJob.objects.count() == 1

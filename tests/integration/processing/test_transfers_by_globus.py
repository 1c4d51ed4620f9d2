"""Transfers by Globus with a real agent, which is killed; the service is a stand-in that copies files."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from django.db.models.functions import Now

from balsam.api import App, Job, Site
from balsam.client import Client
from balsam.core.models import BalsamJob, JobEvent, Session
from balsam.core.models import TransferItem as Row
from balsam.platform.transfer import Endpoint
from balsam.processing.transfers import Mover, MoverOptions
from balsam.processing.transfers.globus_login import GlobusFlow
from balsam.schemas.sessions import ReportReply, Selection
from balsam.schemas.transfers import TransferResult
from tests.commands import Finished, run_balsam, script_path
from tests.globus_service import GlobusService, globus_service
from tests.waiting import wait_until

FAR, OWN = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
CLIENT = "33333333-3333-4333-8333-333333333333"
SLOTS = {
    "data": {"required": True, "direction": "in", "local_path": "in.dat"},
    "result": {"required": False, "direction": "out", "local_path": "in.dat"},
}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[GlobusService]:
    with globus_service() as found:
        found.endpoints = {FAR: tmp_path / "far", OWN: tmp_path}
        (tmp_path / "far").mkdir()
        (tmp_path / "seen").symlink_to(tmp_path / "site")
        yield found


@pytest.fixture
def environ(db: Path, tmp_path: Path, service: GlobusService) -> dict[str, str]:
    urls = {f"GLOBUS_SDK_SERVICE_URL_{name}": service.url for name in ("AUTH", "TRANSFER")}
    home = {"BALSAM_HOME": str(tmp_path / "home"), "BALSAM_SITE_PATH": ""}
    return {"BALSAM_DB_PATH": str(db), **home, **urls}


@pytest.fixture
def site_path(environ: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "site"
    run_balsam("site", "init", "-n", "globus", "-c", "local", path, env=environ).check()
    text = (path / "settings.yml").read_text()
    keys = f"{{far: globus://{FAR}}}\n  globus_endpoint_id: {OWN}\n  globus_endpoint_site_path: /seen"
    assert "transfer_locations: {}" in text
    (path / "settings.yml").write_text(text.replace("transfer_locations: {}", f"transfer_locations: {keys}"))
    yield path
    run_balsam("site", "stop", cwd=path, env=environ)
    for log in path.glob("log/*"):
        print(f"== {log}\n{log.read_text(errors='backslashreplace')[-6000:]}")


def start_agent(site_path: Path, environ: dict[str, str]) -> None:
    def is_started() -> Finished | None:
        done = run_balsam("site", "start", cwd=site_path, env=environ)
        return done if done.returncode == 0 else None

    wait_until(is_started, 60, what="the start of the agent")


def log_in(service: GlobusService, environ: dict[str, str], *options: str) -> None:
    """Type the command, follow its link, and paste the code."""
    words = [script_path("balsam"), "site", "globus-login", "--client-id", CLIENT, *options]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(words, env={**os.environ, **environ}, text=True, **pipes) as process:
        assert process.stdout is not None
        link = next(line for line in process.stdout if line.startswith("http"))
        told, _ = process.communicate(service.visit(link.strip()) + "\n", timeout=60)
        assert process.returncode == 0, told


def waits_with(words: str) -> Callable[[], bool]:
    waiting = Row.objects.filter(state="inactive", transfer_info__message__icontains=words)
    return waiting.exists


def try_again() -> None:
    """Have all be tried together, sooner than they would be."""
    Row.objects.filter(state="inactive").update(next_try=Now())


def test_an_agent_that_is_killed_goes_on_with_the_task_there_is(tmp_path, service, environ, site_path):
    start_agent(site_path, environ)
    app = App.objects.create(
        site_id=Site.objects.get("globus").id, name="Take", command_template="true", transfers=SLOTS
    )
    for number in range(12):
        (tmp_path / "far" / f"{number} ü").write_text(str(number))
    jobs = Job.objects.bulk_create(
        [Job(f"w{n}", app.id, transfers={"data": f"far:/{n} ü"}) for n in range(12)]
        + [Job("missing", app.id, transfers={"data": "far:/none"})]
    )
    service.wants_consent = {FAR}
    wait_until(waits_with("Log in, and it goes on: `balsam site globus-login`."), 60)

    log_in(service, environ)
    try_again()
    wait_until(waits_with(f"`balsam site globus-login -e {FAR}`"), 60)
    explained = run_balsam("job", "explain", jobs[0].id, env=environ, cwd=site_path).check().stdout
    assert f"balsam site globus-login -e {FAR}" in explained

    service.goes_on.clear()
    log_in(service, environ, "-e", FAR)
    try_again()
    (task,) = wait_until(lambda: list(service.book.values()), 60)
    wait_until(lambda: Row.objects.filter(task_id=task.task_id).count() == 13, 60)
    for pid in Session.objects.filter(kind="service", ended=None).values_list("pid", flat=True):
        os.kill(pid, signal.SIGKILL)
    assert BalsamJob.objects.filter(state="READY").count() == 13
    start_agent(site_path, environ)
    polled = len(service.requests)
    wait_until(lambda: len(service.requests) > polled, 60, what="the new agent to ask for the task")
    service.goes_on.set()

    wait_until(lambda: BalsamJob.objects.filter(state="PREPROCESSED").count() == 12, 60)
    wait_until(lambda: BalsamJob.objects.filter(state="FAILED").count() == 1, 60)
    assert (len(service.book), service.duplicates) == (1, 0), "nothing was submitted again"
    for number in range(12):
        assert (site_path / "data" / f"w{number}" / "in.dat").read_text() == str(number)
    assert "FILE_NOT_FOUND" in JobEvent.objects.get(to_state="FAILED").message
    again = run_balsam("site", "globus-login", "-e", FAR, env=environ).check()
    assert "There is a login to Globus already" in again.stdout


@pytest.fixture
def start_mover(
    session_id: int,
    environ: dict[str, str],
    tmp_path: Path,
    service: GlobusService,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Mover]]:
    """Movers in this process, at a site that is seen by its own names."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    service.endpoints[OWN] = Path("/")
    flow = GlobusFlow(CLIENT, ())
    flow.finish(service.visit(flow.link))
    started: list[Mover] = []

    def start(client: Client | None = None) -> Mover:
        options = MoverOptions(
            selection=Selection(site_id=Site.objects.get("laptop").id), endpoint=Endpoint(OWN)
        )
        started.append(Mover(client or Client(), session_id, options))
        started[-1].start()
        return started[-1]

    yield start
    service.gives_ids.set()
    for mover in started:
        mover.stop(5)


@pytest.fixture
def job(db: Path, tmp_path: Path, service: GlobusService) -> Job:
    (tmp_path / "laptop").mkdir()
    (tmp_path / "far" / "a").write_text("a")
    site = Site("laptop", str(tmp_path / "laptop"))
    site.transfer_locations = {"far": f"globus://{FAR}"}
    site.save()
    app = App.objects.create(site_id=site.id, name="Take", command_template="true", transfers=SLOTS)
    return Job.objects.create("w", app.id, transfers={"data": "far:/a"})


def test_a_mover_that_ends_leaves_its_task_to_the_next(job, service, start_mover, tmp_path):
    service.goes_on.clear()
    first = start_mover()
    (task,) = wait_until(lambda: list(service.book.values()), 60)
    wait_until(lambda: Row.objects.filter(task_id=task.task_id).exists(), 60)
    assert first.stop(10), "it does not wait for the task"
    item = Row.objects.get()
    assert (item.state, item.task_id, item.failures) == ("pending", task.task_id, 0)
    service.goes_on.set()
    start_mover()
    wait_until(lambda: BalsamJob.objects.filter(state="PREPROCESSED").exists(), 60)
    assert (tmp_path / "laptop/data/w/in.dat").read_text() == "a"
    assert (len(service.book), service.duplicates) == (1, 0)


def test_a_submission_is_recorded_before_it_is_made(job, service, start_mover):
    early: list[TransferResult] = []

    class Slow(Client):
        """Gives a submission that does not wait for its note the time to be made."""

        def report_transfers(self, session_id: int, results: Sequence[TransferResult]) -> ReportReply:
            if any(result.task_id.startswith("submission:") for result in results):
                with suppress(AssertionError):
                    wait_until(lambda: service.book, 1)
                    early.extend(results)
            return super().report_transfers(session_id, results)

    start_mover(Slow())
    wait_until(lambda: BalsamJob.objects.filter(state="PREPROCESSED").exists(), 60)
    assert early == [] and len(service.book) == 1


def test_nothing_is_submitted_for_a_transfer_that_was_taken_away(job, service, start_mover):
    service.gives_ids.clear()
    mover = start_mover()
    wait_until(lambda: "GET /v0.10/submission_id" in service.requests, 60)
    run_balsam("transfer", "cancel", "--job", job.id, "--yes").check()
    service.gives_ids.set()
    wait_until(lambda: mover.held_ids() == [], 60)
    assert service.book == {}
    assert Row.objects.get().state == "error"


def test_a_task_that_nobody_wants_any_more_is_cancelled(job, service, start_mover, tmp_path):
    (tmp_path / "far" / "b").write_text("b")
    other = Job.objects.create("w2", job.app_id, transfers={"data": "far:/b"})
    service.goes_on.clear()
    mover = start_mover()
    (task,) = wait_until(lambda: list(service.book.values()), 60)
    wait_until(lambda: Row.objects.filter(task_id=task.task_id).count() == 2, 60)
    run_balsam("transfer", "cancel", "--job", job.id, "--yes").check()
    mover.wake()
    wait_until(lambda: len(mover.held_ids()) == 1, 60)
    assert task.status == "ACTIVE", "somebody wants the rest of it"
    run_balsam("transfer", "cancel", "--job", other.id, "--yes").check()
    mover.wake()
    wait_until(lambda: task.status == "FAILED", 60)
    assert task.fatal_error is not None and task.fatal_error["code"] == "CANCELED"
    service.goes_on.set()
    wait_until(lambda: not any((tmp_path / "laptop/data/.balsam-transfers").glob("*-*/*")), 60)
    assert BalsamJob.objects.filter(state="FAILED").count() == 2
    assert mover.is_working()


def test_a_login_that_nobody_completes_changes_nothing(tmp_path, service, environ):
    done = run_balsam("site", "globus-login", env=environ)
    assert done.returncode == 2 and "--client-id" in done.stderr
    done = run_balsam("site", "globus-login", "--client-id", CLIENT, env=environ)
    assert done.returncode == 2 and "Open the link" in done.stderr
    done = run_balsam("site", "globus-login", "-e", "nonsense", env=environ)
    assert done.returncode == 2 and "no id of an endpoint" in done.stderr
    done = run_balsam("site", "globus-login", "--client-id", CLIENT, env=environ, input="wrong\n")
    assert done.returncode == 5 and "does not take the code" in done.stderr
    assert not (tmp_path / "home" / "globus.cfg").exists()

"""How much has come of a transfer is told while it is under way, and costs no word for each file."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from balsam.api import App, Job, Site, TransferItem
from balsam.client import Client
from balsam.processing.transfers import by_scp, carrying, commands, courier
from balsam.schemas.transfers import TransferResult
from balsam.states import JobState as S
from tests.commands import run_balsam
from tests.jobs import claim, report
from tests.sshd import Sshd, start_sshd
from tests.transfers import wait_for, workdir
from tests.waiting import wait_until

SLOTS = {
    "data": {"required": False, "direction": "in", "local_path": "in.dat"},
    "result": {"required": False, "direction": "out", "local_path": "out.dat"},
}
HALF = 1_000_000
BIG = 100_000_000


class Halting(BaseHTTPRequestHandler):
    """Sends half of a file, and the rest when it is let."""

    may_go_on = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(2 * HALF))
        self.end_headers()
        self.wfile.write(b"x" * HALF)
        self.wfile.flush()
        assert self.may_go_on.wait(60)
        self.wfile.write(b"x" * HALF)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    Halting.may_go_on.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Halting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        Halting.may_go_on.set()
        server.shutdown()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with start_sshd(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture
def site(db: Path, tmp_path: Path, web: str, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(carrying, "_PROGRESS_SEC", 0.0)
    monkeypatch.setattr(courier, "_PROGRESS_SEC", 0.02)
    monkeypatch.setattr(commands, "_WAIT_SEC", 0.02)
    monkeypatch.setattr(commands, "_LOOK_SEC", 0.02)
    (tmp_path / "site").mkdir()
    site = Site("laptop", str(tmp_path / "site"))
    site.transfer_locations = {"web": web, "far": "rsync://theta", "slow": "scp://theta", "here": "local:"}
    site.save()
    return site


@pytest.fixture
def app(site: Site) -> App:
    return App.objects.create(site_id=site.id, name="Sum", command_template="true", transfers=SLOTS)


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[list[TransferResult]]:
    """What was reported, one list for each call."""
    found: list[list[TransferResult]] = []
    report = Client.report_transfers

    def noting(self: Client, session_id: int, results: list[TransferResult]) -> object:
        found.append(list(results))
        return report(self, session_id, results)

    monkeypatch.setattr(Client, "report_transfers", noting)
    return found


def told(reports: list[list[TransferResult]]) -> list[int]:
    """Return how much had come, or gone, each time that was told."""
    return [result.size_bytes for results in reports for result in results if result.state == "active"]


def write_big(path: Path) -> None:
    with path.open("wb") as file:
        for _ in range(BIG // 1_000_000):
            file.write(b"\1" * 1_000_000)


def under_way(job: Job) -> TransferItem | None:
    """Return the transfer of a job when some of it has come, and not all."""
    (item,) = TransferItem.objects.filter(job_id=job.id)
    return item if item.state == "active" and item.transfer_info.get("bytes") else None


def test_what_has_come_over_http_is_shown_with_its_rate(app, site, web, start_mover):
    job = Job.objects.create("w", app.id, transfers={"data": "web:/file"})
    start_mover()
    wait_until(lambda: (item := under_way(job)) and item.transfer_info["bytes"] == HALF)
    listed = run_balsam("transfer", "ls", "--job", job.id, "-o", "json").check().stdout
    (row,) = json.loads(listed)["rows"]
    assert (row["state"], row["bytes"], row["total"]) == ("active", HALF, 2 * HALF)
    shown = run_balsam("transfer", "show", "--job", job.id).check().stdout
    assert f"bytes: {HALF}" in shown and f"total: {2 * HALF}" in shown
    Halting.may_go_on.set()
    wait_for(job, S.PREPROCESSED)
    (item,) = TransferItem.objects.filter(job_id=job.id)
    assert item.transfer_info["bytes"] == 2 * HALF and "total" not in item.transfer_info


@pytest.mark.parametrize("by", ["far", "slow", "here"])
def test_what_has_come_of_a_large_file_is_told(
    by, reports, app, site, sshd, start_mover, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", sshd.environ()["PATH"])
    write_big(tmp_path / "big")
    job = Job.objects.create("w", app.id, transfers={"data": f"{by}:{tmp_path}/big"})
    start_mover()
    wait_for(job, S.PREPROCESSED)
    counts = told(reports)
    assert any(0 < count < BIG for count in counts), counts
    assert counts == sorted(counts)
    (item,) = TransferItem.objects.filter(job_id=job.id)
    assert (item.state, item.transfer_info["bytes"]) == ("done", BIG)
    sshd.cut_connections()


@pytest.mark.parametrize("by", ["slow", "here"])
def test_how_much_of_a_large_file_has_gone_is_told(
    by, reports, app, site, sshd, start_mover, session_id, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", sshd.environ()["PATH"])
    monkeypatch.setattr(by_scp, "_LOOK_SEC", 0.0)
    job = Job.objects.create("w", app.id, transfers={"result": f"{by}:{tmp_path}/there"})
    workdir(site, job).mkdir(parents=True)
    write_big(workdir(site, job) / "out.dat")
    report(session_id, claim(session_id, site_id=site.id), S.RUNNING, S.RUN_DONE)
    start_mover()
    wait_for(job, S.JOB_FINISHED)
    counts = told(reports)
    assert any(0 < count < BIG for count in counts), counts
    assert counts == sorted(counts)
    (item,) = TransferItem.objects.filter(job_id=job.id)
    assert (item.state, item.transfer_info["bytes"]) == ("done", BIG)
    assert (tmp_path / "there").stat().st_size == BIG
    sshd.cut_connections()


def test_many_small_files_are_not_told_of_one_by_one(reports, app, site, start_mover, tmp_path, monkeypatch):
    monkeypatch.setattr(carrying, "_PROGRESS_SEC", 3600.0)
    (tmp_path / "a").write_text("a")
    jobs = Job.objects.bulk_create(
        [Job(f"w{n}", app.id, transfers={"data": f"here:{tmp_path}/a"}) for n in range(50)]
    )
    start_mover()
    wait_for(jobs[-1], S.PREPROCESSED)
    wait_until(lambda: sum(map(len, reports)) >= 50)
    assert sum(map(len, reports)) == 50

"""A disk without room, a real small one, pauses transfers with a message; they go on when there is some."""

import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from balsam.api import App, Job, Site, TransferItem
from balsam.processing.transfers import outcomes
from balsam.states import JobState as S
from tests.jobs import claim, report
from tests.sshd import Sshd, start_sshd
from tests.transfers import wait_for, workdir
from tests.waiting import wait_until

SLOTS = {
    "data": {"required": False, "direction": "in", "local_path": "in.dat"},
    "result": {"required": False, "direction": "out", "local_path": "out.dat"},
}
SIZE = 3_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    path = tmp_path / "small"
    path.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(path)]
    try:
        done = subprocess.run(words, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no `mount` here")
    if done.returncode:
        pytest.skip(f"a small file system needs the right to mount one: {done.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.fixture
def sshd(small_disk: Path, tmp_path: Path) -> Iterator[Sshd]:
    """A server that sees the small disk: what is mounted after its start it does not."""
    with start_sshd(tmp_path / "sshd") as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A disk with room, where the data is."""
    path = tmp_path / "store"
    path.mkdir()
    (path / "data").write_bytes(os.urandom(SIZE))
    return path


@pytest.fixture
def web(store: Path) -> Iterator[str]:
    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(store))

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def site(db: Path, tmp_path: Path, web: str, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(outcomes, "_WAIT_SEC", 0.2)
    monkeypatch.setenv("PATH", sshd.environ()["PATH"])
    site = Site("laptop", str(tmp_path / "site"))
    site.transfer_locations = {"here": "local:", "far": "rsync://theta", "slow": "scp://theta", "web": web}
    site.save()
    return site


@pytest.fixture
def app(site: Site) -> App:
    return App.objects.create(site_id=site.id, name="Sum", command_template="true", transfers=SLOTS)


def wait_for_pause(job: Job) -> None:
    """Wait until a transfer has been tried more often than failures are allowed, and still waits."""

    def is_told() -> bool:
        messages = [
            str((item.state, item.attempts, item.transfer_info))
            for item in TransferItem.objects.filter(job_id=job.id)
        ]
        assert any("when there is room" in text for text in messages), messages
        return True

    wait_until(is_told, 60, what="the word of a full disk")
    wait_until(
        lambda: (
            max(item.attempts for item in TransferItem.objects.filter(job_id=job.id)) > outcomes.MAX_TRIES + 1
        ),
        60,
        what="more tries than failures are allowed",
    )


@pytest.mark.parametrize("by", ["here", "far", "slow", "web"])
def test_what_comes_in_waits_for_room(by, app, site, small_disk, store, start_mover):
    Path(site.path).symlink_to(small_disk)
    (small_disk / "ballast").write_bytes(b"x" * 2_000_000)
    path = "/data" if by == "web" else f"{store}/data"
    job = Job.objects.create("w", app.id, transfers={"data": f"{by}:{path}"})
    start_mover()
    wait_for_pause(job)
    assert not (workdir(site, job) / "in.dat").exists()
    (small_disk / "ballast").unlink()
    wait_for(job, S.PREPROCESSED)
    assert (workdir(site, job) / "in.dat").read_bytes() == (store / "data").read_bytes()


@pytest.mark.parametrize("by", ["here", "far", "slow"])
def test_what_goes_out_waits_for_room(by, app, site, small_disk, store, start_mover, session_id):
    Path(site.path).mkdir()
    (small_disk / "ballast").write_bytes(b"x" * 2_000_000)
    job = Job.objects.create("w", app.id, transfers={"result": f"{by}:{small_disk}/result"})
    workdir(site, job).mkdir(parents=True)
    (store / "data").rename(workdir(site, job) / "out.dat")
    report(session_id, claim(session_id, site_id=site.id), S.RUNNING, S.RUN_DONE)
    start_mover()
    wait_for_pause(job)
    assert not (small_disk / "result").exists()
    (small_disk / "ballast").unlink()
    wait_for(job, S.JOB_FINISHED)
    assert (small_disk / "result").read_bytes() == (workdir(site, job) / "out.dat").read_bytes()
